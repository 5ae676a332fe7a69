//! A published track: its layers, what arrives of them, and who is shown it.

use std::time::{Duration, Instant};

use crate::{
    Codec, LayerSpec, MediaKind, PartKey, RtpIn, Source, Spatial, TrackConfig,
    dynacast::Dynacast,
    keyframe,
    ladder::LayerView,
    meter::Meter,
    slots::SlotIndex,
    speakers::Loudness,
    vp8,
    window::{Admission, Window},
};

/// Spatial layers of a track; further ones are ignored.
pub(crate) const MAX_LAYERS: usize = 4;
/// Other parts of a room whose wishes are kept: more than a machine has workers.
const MAX_PARTS: usize = 1_024;
/// A layer this much behind the newest packet of its track was turned off.
const LAYER_TIMEOUT: Duration = Duration::from_secs(1);
/// Screen share repeats a still picture about once a second.
const LAYER_TIMEOUT_SCREEN: Duration = Duration::from_millis(2500);

/// Of which run of which layer a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub spatial: Spatial,
    /// Counts the restarts of the layer.
    pub epoch: u32,
}

/// What a slot needs to know of a packet; computed once, used for each receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub stream: Stream,
    pub sequence: u64,
    pub timestamp: u32,
    pub clock_rate: u32,
    pub marker: bool,
    /// Decoding can start here.
    pub entry: bool,
    /// Nothing to decode in it (padding, or not readable): its number is closed up.
    pub hollow: bool,
    pub vp8: Option<vp8::Packet>,
}

/// One simulcast layer as it arrives.
#[derive(Clone, Debug)]
struct Layer {
    spec: LayerSpec,
    window: Window,
    meter: Meter,
    pictures: vp8::PictureClock,
    epoch: u32,
    arrived: Option<Instant>,
    live: bool,
}

impl Layer {
    fn new(spec: LayerSpec) -> Self {
        Self {
            spec,
            window: Window::default(),
            meter: Meter::default(),
            pictures: vp8::PictureClock::default(),
            epoch: 0,
            arrived: None,
            live: false,
        }
    }
}

/// A packet that counts, and whether its layer came to life with it.
pub(crate) struct Arrival {
    pub packet: Packet,
    pub revived: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Track {
    pub config: TrackConfig,
    pub muted: bool,
    pub subscribers: Vec<SlotIndex>,
    pub dynacast: Dynacast,
    pub loudness: Loudness,
    /// The highest layer watched in each other part of the room.
    elsewhere: Vec<(PartKey, Option<Spatial>)>,
    layers: Vec<Layer>,
}

impl Track {
    pub(crate) fn new(mut config: TrackConfig) -> Self {
        if config.layers.is_empty() {
            config.layers.push(LayerSpec { spatial: Spatial(0), width: 0, height: 0, bitrate_bps: 0 });
        }
        config.layers.truncate(MAX_LAYERS);
        Self {
            layers: config.layers.iter().copied().map(Layer::new).collect(),
            dynacast: Dynacast::default(),
            loudness: Loudness::default(),
            subscribers: Vec::new(),
            elsewhere: Vec::new(),
            muted: false,
            config,
        }
    }

    /// Takes over the receivers of the track that this one replaces. Its streams
    /// start anew, so they must not be taken for those of before.
    pub(crate) fn succeed(&mut self, before: Track) {
        let epoch = before.layers.iter().map(|layer| layer.epoch).max().unwrap_or(0).wrapping_add(1);
        for layer in &mut self.layers {
            layer.epoch = epoch;
        }
        self.subscribers = before.subscribers;
        self.elsewhere = before.elsewhere;
        self.muted = before.muted;
        self.loudness = before.loudness;
    }

    pub(crate) fn video(&self) -> bool {
        self.config.kind == MediaKind::Video
    }

    /// Can its sound make somebody a speaker?
    pub(crate) fn speech(&self) -> bool {
        self.config.kind == MediaKind::Audio && self.config.source != Source::ScreenShareAudio
    }

    /// Takes note of a packet. `None`: a duplicate, or of a layer not announced.
    pub(crate) fn receive(&mut self, packet: &RtpIn<'_>, now: Instant) -> Option<Arrival> {
        let (codec, clock_rate) = (self.config.codec, self.config.clock_rate);
        let speech = self.speech();
        let layer = self.layers.iter_mut().find(|layer| layer.spec.spatial == packet.spatial)?;
        match layer.window.admit(packet.sequence, now) {
            Admission::Refused => return None,
            Admission::Restart => {
                layer.epoch = layer.epoch.wrapping_add(1);
                layer.live = false;
            }
            Admission::Fresh => {}
        }
        let vp8 = (codec == Codec::Vp8).then(|| vp8::Descriptor::parse(packet.payload)).flatten();
        let hollow = packet.payload.is_empty() || codec == Codec::Vp8 && vp8.is_none();
        let entry = match vp8 {
            Some(descriptor) => descriptor.starts_keyframe,
            None => !hollow && keyframe::starts_keyframe(codec, packet.payload),
        };
        let temporal = vp8.and_then(|descriptor| descriptor.temporal).unwrap_or(0);
        let mut revived = false;
        if !hollow {
            revived = !layer.live;
            layer.live = true;
            layer.arrived = Some(now);
            layer.meter.add(temporal, packet.payload.len(), packet.marker, now);
        }
        if speech && let Some(level) = packet.audio_level_dbov {
            self.loudness.add(level, packet.timestamp, clock_rate);
        }
        let vp8 = vp8.map(|descriptor| vp8::Packet {
            picture: descriptor.picture_id.map(|id| layer.pictures.extend(id)),
            descriptor,
        });
        let stream = Stream { spatial: packet.spatial, epoch: layer.epoch };
        let packet = Packet {
            stream,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            clock_rate,
            marker: packet.marker,
            entry,
            hollow,
            vp8,
        };
        Some(Arrival { packet, revived })
    }

    /// The run of the layer that arrives now.
    pub(crate) fn stream(&self, spatial: Spatial) -> Option<Stream> {
        let layer = self.layers.iter().find(|layer| layer.spec.spatial == spatial)?;
        Some(Stream { spatial, epoch: layer.epoch })
    }

    /// What is watched in another part of the room.
    pub(crate) fn set_wanted_elsewhere(&mut self, part: PartKey, wanted: Option<Spatial>) {
        self.elsewhere.retain(|(other, _)| *other != part);
        if wanted.is_some() && self.elsewhere.len() < MAX_PARTS {
            self.elsewhere.push((part, wanted));
        }
    }

    /// The highest layer watched in any other part of the room.
    pub(crate) fn wanted_elsewhere(&self) -> Option<Spatial> {
        self.elsewhere.iter().filter_map(|(_, wanted)| *wanted).max()
    }

    /// The highest layer there is.
    pub(crate) fn top(&self) -> Spatial {
        self.layers.last().map_or(Spatial(0), |layer| layer.spec.spatial)
    }

    /// Closes the spans of the meters.
    pub(crate) fn roll(&mut self, now: Instant) {
        for layer in &mut self.layers {
            layer.meter.roll(now);
        }
    }

    /// Marks layers that stopped while others of the track go on. True if one did.
    pub(crate) fn expire_layers(&mut self) -> bool {
        let timeout = match self.config.source {
            Source::ScreenShare => LAYER_TIMEOUT_SCREEN,
            _ => LAYER_TIMEOUT,
        };
        let Some(newest) = self.layers.iter().filter_map(|layer| layer.arrived).max() else {
            return false;
        };
        let mut expired = false;
        for layer in &mut self.layers {
            let stale =
                layer.arrived.is_some_and(|arrived| newest.saturating_duration_since(arrived) > timeout);
            if layer.live && stale {
                layer.live = false;
                layer.meter.reset();
                expired = true;
            }
        }
        expired
    }

    /// Forgets what arrived: after a mute nothing is known of the layers.
    pub(crate) fn silence(&mut self) {
        for layer in &mut self.layers {
            layer.live = false;
            layer.arrived = None;
            layer.meter.reset();
        }
    }

    /// The layers as allocation sees them, lowest first.
    pub(crate) fn views(&self) -> impl Iterator<Item = LayerView<'_>> + Clone {
        let any_live = self.layers.iter().any(|layer| layer.live);
        self.layers.iter().map(move |layer| LayerView {
            spec: &layer.spec,
            meter: &layer.meter,
            // As long as nothing arrives, each announced layer may be meant.
            eligible: layer.live || !any_live,
        })
    }

    /// Measured bits per second of an audio track.
    pub(crate) fn measured_bps(&self) -> Option<u64> {
        self.layers.first().and_then(|layer| layer.meter.bps(u8::MAX))
    }
}
