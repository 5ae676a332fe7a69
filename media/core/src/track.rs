//! A published track: its layers, what arrives of them, and who is shown it.

use std::time::{Duration, Instant};

use crate::{
    Codec, LayerSpec, MediaKind, PartKey, RtpIn, SenderReport, Source, Spatial, TrackConfig,
    cap::Cap,
    dependency,
    dynacast::Dynacast,
    keyframe,
    ladder::LayerView,
    layers::Frame,
    meter::{Meter, WIRE_OVERHEAD_BYTES},
    slots::SlotIndex,
    speakers::Loudness,
    vp8, vp9,
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
    /// The spatial layers build on each other inside the stream.
    pub svc: bool,
    /// Decoding can start here.
    pub entry: bool,
    /// It is ahead of all others of its stream.
    pub newest: bool,
    /// Nothing to decode in it (padding, or not readable): its number is closed up.
    pub hollow: bool,
    pub vp8: Option<vp8::Packet>,
    /// Where it stands among the layers inside its stream, where that is told (VP9, AV1).
    pub frame: Option<Frame>,
    /// The newest one of the stream.
    pub report: Option<SenderReport>,
}

/// One simulcast layer as it arrives.
#[derive(Clone, Debug)]
struct Layer {
    spec: LayerSpec,
    window: Window,
    meter: Meter,
    pictures: vp8::PictureClock,
    /// Of the dependency descriptors.
    templates: Option<Box<dependency::Structure>>,
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
            templates: None,
            epoch: 0,
            arrived: None,
            live: false,
        }
    }
}

/// Width and height of the spatial layers of a stream, where it tells them.
type Sizes = Option<[(u32, u32); MAX_LAYERS]>;

/// What is read of a payload and its descriptors.
struct Reading {
    vp8: Option<vp8::Descriptor>,
    frame: Option<Frame>,
    sizes: Sizes,
    entry: bool,
    hollow: bool,
}

impl Layer {
    /// Does the number count? One of a stream that starts anew does.
    fn admit(&mut self, sequence: u64, now: Instant) -> bool {
        match self.window.admit(sequence, now) {
            Admission::Refused => return false,
            Admission::Restart => {
                self.epoch = self.epoch.wrapping_add(1);
                self.live = false;
                self.templates = None;
            }
            Admission::Fresh => {}
        }
        true
    }

    /// Something of it came. True if nothing did before.
    fn note(&mut self, now: Instant) -> bool {
        self.arrived = Some(now);
        !std::mem::replace(&mut self.live, true)
    }

    /// The same for a layer inside a stream: what was counted meanwhile is those below it alone.
    fn note_above(&mut self, now: Instant) -> bool {
        let back = self.note(now);
        if back {
            self.meter.reset();
        }
        back
    }

    fn read(&mut self, codec: Codec, packet: &RtpIn<'_>) -> Reading {
        let mut reading =
            Reading { vp8: None, frame: None, sizes: None, entry: false, hollow: packet.payload.is_empty() };
        match (codec, packet.dependency_descriptor) {
            _ if reading.hollow => {}
            (Codec::Vp8, _) => match vp8::Descriptor::parse(packet.payload) {
                Some(descriptor) => {
                    reading.entry = descriptor.starts_keyframe;
                    reading.vp8 = Some(descriptor);
                }
                None => reading.hollow = true,
            },
            (Codec::Vp9, _) => match vp9::Descriptor::parse(packet.payload) {
                Some(descriptor) => {
                    reading.entry = descriptor.starts_keyframe();
                    reading.sizes = descriptor.structure.map(|structure| {
                        structure.sizes.map(|(width, height)| (width.into(), height.into()))
                    });
                    reading.frame = Some(Frame::of_vp9(&descriptor));
                }
                None => reading.hollow = true,
            },
            (Codec::Av1, Some(descriptor)) => self.read_dependencies(descriptor, &mut reading),
            _ => reading.entry = keyframe::starts_keyframe(codec, packet.payload),
        }
        reading
    }

    fn read_dependencies(&mut self, bytes: &[u8], reading: &mut Reading) {
        let known = self.templates.as_deref();
        let parsed = dependency::parse(bytes, known).filter(|parsed| {
            // Late ones of before the templates would be read by the wrong ones.
            let late = known.is_some_and(|known| known.predates(parsed.descriptor.frame_number));
            parsed.structure.is_some() || !late
        });
        let Some(parsed) = parsed else {
            reading.hollow = true;
            return;
        };
        reading.entry = parsed.descriptor.starts_keyframe;
        reading.frame = Some(Frame::of_av1(&parsed.descriptor));
        if let Some(structure) = parsed.structure {
            reading.sizes = structure.sizes;
            self.templates = Some(Box::new(structure));
        }
    }
}

/// A packet that counts, and whether its layer came to life with it.
pub(crate) struct Arrival {
    pub packet: Packet,
    pub revived: bool,
}

/// Under which layer the cap counts one: layers inside one stream are let in together.
fn place_in_cap(config: &TrackConfig, place: usize) -> usize {
    if config.svc { 0 } else { place }
}

/// Sound that pauses (DTX) comes back: what is kept free for it falls by one part in so many with each
/// measurement, to the half within half a minute, so that pictures do not rise in each pause and fall with each word.
const SOUND_FADES: u64 = 80;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Track {
    pub config: TrackConfig,
    pub muted: bool,
    pub subscribers: Vec<SlotIndex>,
    pub dynacast: Dynacast,
    pub loudness: Loudness,
    pub cap: Cap,
    /// The highest rate of the last while, of sound.
    sound_bps: Option<u64>,
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
            cap: Cap::default(),
            sound_bps: None,
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
        self.cap = before.cap;
    }

    pub(crate) fn video(&self) -> bool {
        self.config.kind == MediaKind::Video
    }

    /// Can its sound make somebody a speaker?
    pub(crate) fn speech(&self) -> bool {
        self.config.kind == MediaKind::Audio && self.config.source != Source::ScreenShareAudio
    }

    /// Counts a packet for the cap; is it let in?
    pub(crate) fn admit(&mut self, spatial: Spatial, payload_bytes: usize, now: Instant) -> bool {
        let place = self.layers.iter().position(|layer| layer.spec.spatial == spatial);
        place.is_none_or(|place| self.cap.admit(place, payload_bytes, now))
    }

    /// Takes note of a packet. `None`: a duplicate, or of a layer not announced.
    pub(crate) fn receive(&mut self, packet: &RtpIn<'_>, now: Instant) -> Option<Arrival> {
        let (codec, clock_rate) = (self.config.codec, self.config.clock_rate);
        let (speech, svc) = (self.speech(), self.config.svc);
        let layer = self.layers.iter_mut().find(|layer| layer.spec.spatial == packet.spatial)?;
        if !layer.admit(packet.sequence, now) {
            return None;
        }
        let newest = layer.window.highest() == Some(packet.sequence);
        let Reading { vp8, frame, sizes, entry, hollow } = layer.read(codec, packet);
        let vp8 = vp8.map(|descriptor| vp8::Packet {
            picture: descriptor.picture_id.map(|id| layer.pictures.extend(id)),
            descriptor,
        });
        let stream = Stream { spatial: packet.spatial, epoch: layer.epoch };
        let mut revived = false;
        if !hollow {
            let bytes = packet.payload.len() + WIRE_OVERHEAD_BYTES;
            let temporal = vp8.map(|vp8| vp8.descriptor.temporal.unwrap_or(0));
            let temporal = temporal.or(frame.map(|frame| frame.temporal)).unwrap_or(0);
            if svc && let Some(frame) = &frame {
                revived = self.note_layers(frame, sizes, now);
                self.measure(frame, bytes, now);
            } else {
                revived = layer.note(now);
                layer.meter.add(temporal, bytes, packet.marker, now);
            }
        }
        if speech && let Some(level) = packet.audio_level_dbov {
            self.loudness.add(level, packet.timestamp, clock_rate);
        }
        let packet = Packet {
            stream,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            clock_rate,
            marker: packet.marker,
            svc,
            entry,
            newest,
            hollow,
            vp8,
            frame,
            report: packet.sender_report,
        };
        Some(Arrival { packet, revived })
    }

    /// Takes note of a packet that is not to be routed: where its stream stands is known when
    /// the track is no longer muted, so that a late packet is not taken for its beginning.
    pub(crate) fn pass(&mut self, packet: &RtpIn<'_>, now: Instant) {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.spec.spatial == packet.spatial) {
            layer.admit(packet.sequence, now);
        }
    }

    /// Spatial layers that build on each other come in one stream.
    fn note_layers(&mut self, frame: &Frame, sizes: Sizes, now: Instant) -> bool {
        let spatial = usize::from(frame.spatial);
        let count = frame.layers.map_or(0, usize::from).max(spatial + 1).min(MAX_LAYERS);
        while self.layers.len() < count {
            let spatial = Spatial(self.layers.len() as u8);
            self.layers.push(Layer::new(LayerSpec { spatial, width: 0, height: 0, bitrate_bps: 0 }));
        }
        for (layer, (width, height)) in self.layers.iter_mut().zip(sizes.unwrap_or_default()) {
            if width > 0 && height > 0 {
                (layer.spec.width, layer.spec.height) = (width, height);
            }
        }
        if frame.layers.is_none() {
            return self.layers.get_mut(spatial).is_some_and(|layer| layer.note_above(now));
        }
        // All of them are there from the first packet of a key picture on, or the choice made with
        // it would leave out those that come after it.
        let mut revived = false;
        for (place, layer) in self.layers.iter_mut().enumerate() {
            if place < count {
                revived |= layer.note_above(now);
            } else if layer.live {
                layer.live = false;
                layer.meter.reset();
            }
        }
        revived
    }

    /// Whoever gets a layer gets those below it too, so its rate is that of all of them.
    fn measure(&mut self, frame: &Frame, bytes: usize, now: Instant) {
        let own = usize::from(frame.spatial);
        for (place, layer) in self.layers.iter_mut().enumerate().skip(own) {
            layer.meter.add(frame.temporal, bytes, frame.ends && place == own, now);
        }
    }

    /// The stream in which a layer comes.
    pub(crate) fn carrier(&self, spatial: Spatial) -> Spatial {
        if self.config.svc { Spatial(0) } else { spatial }
    }

    /// The run of the stream that arrives now and holds this layer.
    pub(crate) fn stream(&self, spatial: Spatial) -> Option<Stream> {
        let spatial = self.carrier(spatial);
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

    /// Does anything of it arrive?
    pub(crate) fn flows(&self) -> bool {
        self.layers.iter().any(|layer| layer.live)
    }

    /// The highest layer that arrives.
    pub(crate) fn highest_live(&self) -> Option<Spatial> {
        self.layers.iter().filter(|layer| layer.live).map(|layer| layer.spec.spatial).max()
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
        if let Some(bps) =
            self.layers.first().filter(|_| !self.video()).and_then(|layer| layer.meter.bps(u8::MAX))
        {
            let faded = self.sound_bps.map_or(0, |before| before - before / SOUND_FADES);
            self.sound_bps = Some(bps.max(faded));
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
        self.layers.iter().enumerate().map(move |(place, layer)| LayerView {
            spec: &layer.spec,
            meter: &layer.meter,
            // As long as nothing arrives, each announced layer may be meant.
            eligible: (layer.live || !any_live) && self.cap.opens(place_in_cap(&self.config, place)),
        })
    }

    /// What is kept free for it, bits per second, if it is sound that was measured.
    pub(crate) fn sound_bps(&self) -> Option<u64> {
        self.sound_bps
    }
}
