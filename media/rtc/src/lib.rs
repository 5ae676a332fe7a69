//! `parley-media-rtc`.
