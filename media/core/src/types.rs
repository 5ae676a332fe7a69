//! What goes into a room and what comes out of it.

use std::time::Duration;

use crate::{ParticipantKey, SlotKey, TrackKey};

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    Audio,
    Video,
}

/// Where a track comes from; decides its rank in allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Microphone,
    Camera,
    ScreenShare,
    ScreenShareAudio,
    Unknown,
}

/// Payload format of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    Opus,
    /// Opus with redundancy, RFC 2198.
    Red,
    Vp8,
    Vp9,
    H264,
    Av1,
}

/// Spatial layer, 0 = lowest. A track without simulcast has only layer 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spatial(pub u8);

/// Temporal layer, 0 = base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Temporal(pub u8);

/// One simulcast layer as announced by the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSpec {
    pub spatial: Spatial,
    /// Pixels; 0 when unknown.
    pub width: u32,
    /// Pixels; 0 when unknown.
    pub height: u32,
    /// Bits per second as announced; the measured rate replaces it; 0 when unknown.
    pub bitrate_bps: u64,
}

/// A track as the core needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackConfig {
    pub key: TrackKey,
    pub publisher: ParticipantKey,
    pub kind: MediaKind,
    pub source: Source,
    pub codec: Codec,
    /// RTP ticks per second.
    pub clock_rate: u32,
    /// Ascending by `spatial`; empty for audio.
    pub layers: Vec<LayerSpec>,
    /// The spatial layers build on each other in one stream (SVC of VP9 and AV1), which comes as
    /// spatial layer 0. Layers that are not announced are added when they come.
    pub svc: bool,
}

/// The same moment on the clock of an RTP stream and on its sender's wall clock (RFC 3550,
/// section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// Microseconds; the epoch does not matter, but is the same for all streams of the sender.
    pub wall_us: u64,
    pub timestamp: u32,
}

/// One received RTP packet, borrowed: header fields and payload after decryption.
#[derive(Clone, Copy, Debug)]
pub struct RtpIn<'a> {
    pub track: TrackKey,
    pub spatial: Spatial,
    /// Extended sequence number (roll-over counted).
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    /// RFC 6464 level in dBov: 0 (loudest) to -127.
    pub audio_level_dbov: Option<i8>,
    /// RFC 6464 voice activity flag.
    pub voice_activity: Option<bool>,
    /// The value of the header extension of that name (RTP payload format for AV1, appendix A).
    pub dependency_descriptor: Option<&'a [u8]>,
    /// The newest one of the stream.
    pub sender_report: Option<SenderReport>,
    pub payload: &'a [u8],
}

/// One packet to send on one slot; the payload is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub slot: SlotKey,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub vp8: Option<Vp8Patch>,
    /// `None` = the payload goes out as it came.
    pub vp9: Option<Vp9Patch>,
    /// The frame number in the dependency descriptor; `None` = as it came.
    pub frame_number: Option<u16>,
    /// Sound: this many frames before it may go with it, if the receiver takes redundancy.
    pub redundancy: u8,
}

/// New values for the fields of a VP9 payload descriptor (RFC 9628, section 4.2)
/// that must stay continuous over a switch. `None` = the field is absent in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp9Patch {
    pub picture_id: Option<u16>,
    pub tl0_pic_idx: Option<u8>,
}

/// New values for the fields of a VP8 payload descriptor (RFC 7741, section 4.2)
/// that must stay continuous over a switch. `None` = the field is absent in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Patch {
    pub picture_id: Option<u16>,
    pub tl0_pic_idx: Option<u8>,
    pub key_idx: Option<u8>,
}

/// What a subscriber wants of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotSettings {
    /// False: send nothing (the tile is hidden).
    pub enabled: bool,
    /// Size of the tile in pixels; 0 = the largest there is.
    pub width: u32,
    pub height: u32,
    /// Highest spatial layer wished for, when the client names a quality and no size.
    pub max_spatial: Option<Spatial>,
    /// Frames per second; 0 = all.
    pub fps: u32,
    /// Higher goes first in allocation within the same source.
    pub priority: u32,
}

impl Default for SlotSettings {
    fn default() -> Self {
        Self { enabled: true, width: 0, height: 0, max_spatial: None, fps: 0, priority: 0 }
    }
}

/// How loud a participant is, for the speaker list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speaker {
    pub participant: ParticipantKey,
    /// 0.0 (silent) to 1.0 (loudest), linear.
    pub level: f32,
    pub active: bool,
}

/// Quality of a participant's connection in three words and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectionQuality {
    Lost,
    Poor,
    Good,
    Excellent,
}

/// Losses, round trip and the like of one participant since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkStats {
    /// 0.0 to 1.0, participant → server.
    pub loss_up: f32,
    /// 0.0 to 1.0, server → participant.
    pub loss_down: f32,
    pub rtt: Option<Duration>,
    pub jitter: Option<Duration>,
}

/// Control output of a room; drained with [`crate::Room::poll_output`].
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ask the publisher for a keyframe of this layer (already throttled).
    RequestKeyframe { track: TrackKey, spatial: Spatial },
    /// The slot's stream was paused for lack of bandwidth, or runs again.
    SlotPaused { slot: SlotKey, paused: bool },
    /// The slot now shows this layer.
    SlotLayer { slot: SlotKey, spatial: Spatial },
    /// The rate that the subscriber could use, for probing (bits per second).
    DesiredBitrate { participant: ParticipantKey, bps: u64 },
    /// Highest layer anybody watches; `None` = nobody. Dynacast tells the publisher.
    WantedLayer { track: TrackKey, spatial: Option<Spatial> },
    /// The full list of those whose state or level changed noticeably.
    Speakers(Vec<Speaker>),
    /// Someone's quality changed, or the interval for a report has passed.
    Quality { participant: ParticipantKey, quality: ConnectionQuality, score: f32 },
}

/// How short of time the server is, and so what of pictures is left out. Sound never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overload {
    /// It keeps up.
    #[default]
    None,
    /// Pictures without their upper temporal layers.
    Thin,
    /// Only screens, and what clients gave a priority; other pictures are paused.
    Few,
    /// Sound alone.
    SoundOnly,
}

/// Why [`crate::Room::poll_timeout`] wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    Allocation,
    Keyframe,
    Speakers,
    Quality,
    LayerTimeout,
}
