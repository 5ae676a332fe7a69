//! The dependency descriptor of AV1 (RTP payload format for AV1, appendix A) as a header extension.
//! The core reads it; here it is passed on, with the frame number that the core gives it.
//!
//! Receivers need it to put together the spatial layers of one stream. It is
//! negotiated for AV1 alone: with other codecs senders would number their frames
//! in it, and a switch between simulcast layers would break the row.

use std::sync::Arc;

use str0m::rtp::{Extension, ExtensionSerializer, ExtensionValues};

pub(crate) const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// Longest value that the one-byte form of header extensions can carry (RFC 8285, section 4.2).
const ONE_BYTE_FORM_MAX: usize = 16;

/// Where the frame number stands (mandatory_descriptor_fields).
const FRAME_NUMBER: std::ops::Range<usize> = 1..3;

/// The bytes of a descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Descriptor(Box<[u8]>);

pub(crate) fn extension() -> Extension {
    Extension::with_serializer(URI, Whole)
}

/// The descriptor of a received packet.
pub(crate) fn of(values: &ExtensionValues) -> Option<&[u8]> {
    values.user_values.get().map(|Descriptor(bytes)| &**bytes)
}

/// Takes the descriptor of a received packet along, under another frame number if one is given.
pub(crate) fn pass_on(from: &ExtensionValues, to: &mut ExtensionValues, frame_number: Option<u16>) {
    let Some(descriptor) = from.user_values.get_arc::<Descriptor>() else { return };
    let Some(number) = frame_number else {
        to.user_values.set_arc(Arc::clone(&descriptor));
        return;
    };
    let mut bytes = descriptor.0.clone();
    if let Some(field) = bytes.get_mut(FRAME_NUMBER) {
        field.copy_from_slice(&number.to_be_bytes());
    }
    to.user_values.set(Descriptor(bytes));
}

#[derive(Debug)]
struct Whole;

impl ExtensionSerializer for Whole {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(Descriptor(bytes)) = values.user_values.get() else { return 0 };
        let Some(room) = buffer.get_mut(..bytes.len()) else { return 0 };
        room.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buffer: &[u8], values: &mut ExtensionValues) -> bool {
        values.user_values.set(Descriptor(buffer.into()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        values.user_values.get().is_some_and(|Descriptor(bytes)| bytes.len() > ONE_BYTE_FORM_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_through_unchanged_in_either_form() {
        for length in [1, ONE_BYTE_FORM_MAX, ONE_BYTE_FORM_MAX + 1, 255] {
            let bytes: Vec<u8> = (0..=254).cycle().take(length).collect();
            let (mut received, mut sent) = (ExtensionValues::default(), ExtensionValues::default());
            assert!(Whole.parse_value(&bytes, &mut received));
            pass_on(&received, &mut sent, None);
            assert_eq!(of(&sent), Some(&bytes[..]));
            let mut buffer = [0; 300];
            assert_eq!(Whole.write_to(&mut buffer, &sent), length);
            assert_eq!(buffer[..length], bytes);
            assert_eq!(Whole.requires_two_byte_form(&sent), length > ONE_BYTE_FORM_MAX);
            assert_eq!(Whole.write_to(&mut buffer[..length - 1], &sent), 0, "no room");
        }
        assert_eq!(Whole.write_to(&mut [0; 10], &ExtensionValues::default()), 0);
    }

    #[test]
    fn the_frame_number_alone_changes() {
        for length in [2, 3, 40] {
            let mut bytes: Vec<u8> = (0..length).collect();
            let (mut received, mut sent) = (ExtensionValues::default(), ExtensionValues::default());
            assert!(Whole.parse_value(&bytes, &mut received));
            pass_on(&received, &mut sent, Some(0xabcd));
            if length >= 3 {
                bytes[1..3].copy_from_slice(&[0xab, 0xcd]);
            }
            assert_eq!(of(&sent), Some(&bytes[..]));
        }
    }
}
