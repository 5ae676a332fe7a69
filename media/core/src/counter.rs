//! Small wrapping numbers of payload and frame descriptors that go on over segments.

/// Moves the numbers of one incoming stream after the other by a constant each, so that the first
/// of a stream follows on the last one that went out. Gaps inside a stream stay as they are: some
/// of these numbers are references to frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    /// `None` until the first value of the segment.
    offset: Option<u16>,
    /// The newest that went out.
    last: Option<u16>,
}

impl Counter {
    /// Another stream follows.
    pub(crate) fn begin(&mut self) {
        self.offset = None;
    }

    /// `mask`: the width of the field, all ones.
    pub(crate) fn map(&mut self, value: u16, mask: u16) -> u16 {
        let last = self.last;
        let offset = *self.offset.get_or_insert_with(|| match last {
            Some(last) => last.wrapping_add(1).wrapping_sub(value),
            None => 0,
        });
        let out = value.wrapping_add(offset) & mask;
        if last.is_none_or(|last| ahead(out, last, mask)) {
            self.last = Some(out);
        }
        out
    }

    /// Would `value` of the present segment go out as older than what went out already?
    pub(crate) fn steps_back(&self, value: u16, mask: u16) -> bool {
        match (self.offset, self.last) {
            (Some(offset), Some(last)) => !ahead(value.wrapping_add(offset) & mask, last, mask),
            _ => false,
        }
    }
}

/// Is `a` after `b` in a circle of `mask` + 1 numbers?
fn ahead(a: u16, b: u16, mask: u16) -> bool {
    let step = a.wrapping_sub(b) & mask;
    step != 0 && step <= mask / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stream_goes_out_as_it_is_and_the_next_follows_on_it() {
        let mut counter = Counter::default();
        assert_eq!(counter.map(0x7ffe, 0x7fff), 0x7ffe);
        assert_eq!(counter.map(0, 0x7fff), 0, "with its gap");
        assert_eq!(counter.map(0x7fff, 0x7fff), 0x7fff, "late");
        counter.begin();
        assert_eq!(counter.map(500, 0x7fff), 1);
        assert_eq!(counter.map(503, 0x7fff), 4);
    }

    #[test]
    fn sees_an_encoder_that_starts_anew() {
        let mut counter = Counter::default();
        assert!(!counter.steps_back(7, 0xffff), "nothing went out");
        counter.map(100, 0xffff);
        assert!(!counter.steps_back(101, 0xffff));
        assert!(counter.steps_back(100, 0xffff) && counter.steps_back(3, 0xffff));
        counter.begin();
        assert!(!counter.steps_back(3, 0xffff));
        assert_eq!(counter.map(3, 0xffff), 101);
    }
}
