//! Framing of datagrams on a stream: two bytes of length, then the datagram (RFC 4571, section 2).

/// Longest frame accepted; what browsers send fits into one datagram of an Ethernet.
pub(crate) const FRAME_BYTES_MAX: usize = 4_096;
pub(crate) const LENGTH_BYTES: usize = 2;

/// The peer announces a frame longer than [`FRAME_BYTES_MAX`]; its stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The first frame and what follows it; `None` while it is incomplete.
pub(crate) type Split<'a> = Result<Option<(&'a [u8], &'a [u8])>, TooLong>;

/// Cuts off the first frame.
pub(crate) fn split(bytes: &[u8]) -> Split<'_> {
    let [high, low, rest @ ..] = bytes else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > FRAME_BYTES_MAX {
        return Err(TooLong);
    }
    Ok(rest.split_at_checked(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_announced_length_is_bounded() {
        assert_eq!(split(&[0x10, 0x01]), Err(TooLong));
        assert_eq!(split(&[0x10, 0x00]), Ok(None));
        assert_eq!(split(&[0, 0, 7]), Ok(Some((&[][..], &[7][..]))));
    }

    proptest! {
        #[test]
        fn frames_come_out_however_the_stream_is_cut(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
            cut in 1usize..50,
        ) {
            let stream: Vec<u8> = frames
                .iter()
                .flat_map(|frame| {
                    let length = u16::try_from(frame.len()).expect("short").to_be_bytes();
                    length.into_iter().chain(frame.iter().copied())
                })
                .collect();
            let (mut got, mut held) = (Vec::new(), Vec::new());
            for piece in stream.chunks(cut) {
                held.extend_from_slice(piece);
                let mut rest = &held[..];
                while let Some((frame, after)) = split(rest).expect("short") {
                    got.push(frame.to_vec());
                    rest = after;
                }
                held = rest.to_vec();
            }
            prop_assert_eq!(got, frames);
            prop_assert!(held.is_empty());
        }
    }
}
