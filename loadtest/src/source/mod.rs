//! What synthetic publishers send: pictures in layers and sound, with the sizes and times of real encoders.

mod audio;
mod video;

pub(crate) use audio::stamp as audio_stamp;
pub use audio::{AudioSource, AudioSpec};
pub(crate) use video::Vp8;
pub use video::{Layer, VideoSource, VideoSpec};

/// A packet to write, before its encryption.
#[derive(Clone, Debug)]
pub struct MediaPacket {
    /// Index into the layers; 0 for sound.
    pub layer: usize,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
}

/// A small generator of repeatable numbers (xorshift64*), for sizes and starting numbers.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A factor of 1 ± `spread`.
    pub(crate) fn around_one(&mut self, spread: f64) -> f64 {
        let unit = self.below(1 << 20) as f64 / f64::from(1 << 20);
        1.0 + (unit * 2.0 - 1.0) * spread
    }
}
