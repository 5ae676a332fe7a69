//! Who makes which section of a connection, and what is shown on it: without str0m, without text.

pub(crate) mod dual;
pub(crate) mod publish;
pub(crate) mod single;

use parley_media_core::MediaKind;

/// A number for each kind of media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) audio: u32,
    pub(crate) video: u32,
}

impl Counts {
    pub(crate) fn of(&mut self, kind: MediaKind) -> &mut u32 {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }

    pub(crate) fn total(self) -> u32 {
        self.audio + self.video
    }

    pub(crate) fn count(kinds: impl Iterator<Item = MediaKind>) -> Self {
        let mut counts = Self::default();
        for kind in kinds {
            *counts.of(kind) += 1;
        }
        counts
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { audio: self.audio.saturating_sub(other.audio), video: self.video.saturating_sub(other.video) }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { audio: self.audio + other.audio, video: self.video + other.video }
    }
}
