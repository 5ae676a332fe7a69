//! What was captured when: segments of tracks on the server's time.

use std::collections::BTreeMap;

use parley_media_core::{MediaKind, ParticipantKey, Source, TrackKey};

use crate::{
    Gate, SenderReport, WallTime,
    clock::{SenderClock, StreamClock},
};

/// Segments of one recording; each mute, switch and reconnect begins a new one.
const MAX_SEGMENTS: usize = 10_000;

/// Place of a segment in its timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

/// Why a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    Muted,
    Unpublished,
    ParticipantLeft,
    ConsentWithdrawn,
    RecordingEnded,
}

/// Why something was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the participant has not agreed to be recorded: ask for consent")]
    NoConsent,
    #[error("the track is being captured already: stop that segment first")]
    AlreadyCaptured,
    #[error("there is no such segment, or it has ended: its packets are not to be kept")]
    NotRunning,
    #[error("the recording has too many segments: start a new recording")]
    TooMany,
}

/// What is to be captured, known with its first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    pub track: TrackKey,
    pub participant: ParticipantKey,
    pub kind: MediaKind,
    pub source: Source,
    /// RTP ticks per second.
    pub clock_rate: u32,
    /// Timestamp of the first packet.
    pub rtp: u32,
    /// When it reached the server.
    pub arrived: WallTime,
}

/// An uninterrupted piece of a track.
#[derive(Clone, Debug)]
pub struct Segment {
    pub id: SegmentId,
    pub capture: Capture,
    /// When and why it ended; `None` while it runs.
    pub stopped: Option<(WallTime, StopReason)>,
    clock: StreamClock,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    segments: Vec<Segment>,
    running: BTreeMap<TrackKey, SegmentId>,
    senders: BTreeMap<ParticipantKey, SenderClock>,
}

impl Timeline {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a segment, if its participant has agreed.
    ///
    /// # Errors
    ///
    /// [`RecordError::NoConsent`], [`RecordError::AlreadyCaptured`] or [`RecordError::TooMany`].
    pub fn start(&mut self, capture: Capture, gate: &Gate) -> Result<SegmentId, RecordError> {
        if !gate.allows(capture.participant, capture.arrived) {
            return Err(RecordError::NoConsent);
        }
        if self.running.contains_key(&capture.track) {
            return Err(RecordError::AlreadyCaptured);
        }
        if self.segments.len() >= MAX_SEGMENTS {
            return Err(RecordError::TooMany);
        }
        let id = SegmentId(self.segments.len() as u32);
        let clock = StreamClock::new(capture.clock_rate, capture.rtp, capture.arrived);
        self.segments.push(Segment { id, capture, stopped: None, clock });
        self.running.insert(capture.track, id);
        Ok(id)
    }

    /// A packet of a running segment, which reached the server at `arrived`;
    /// returns its extended timestamp, to be stored with it.
    ///
    /// # Errors
    ///
    /// [`RecordError::NotRunning`] or [`RecordError::NoConsent`]: the packet must
    /// not be kept.
    pub fn packet(
        &mut self,
        id: SegmentId,
        rtp: u32,
        arrived: WallTime,
        gate: &Gate,
    ) -> Result<i64, RecordError> {
        let segment = self.running_mut(id)?;
        if !gate.allows(segment.capture.participant, arrived) {
            return Err(RecordError::NoConsent);
        }
        segment.clock.advance(rtp);
        Ok(segment.clock.extend(rtp))
    }

    /// A sender report of the stream of a running segment.
    ///
    /// # Errors
    ///
    /// [`RecordError::NotRunning`].
    pub fn report(&mut self, id: SegmentId, report: &SenderReport) -> Result<(), RecordError> {
        let segment = self.running_mut(id)?;
        segment.clock.tie(report);
        let participant = segment.capture.participant;
        self.senders.entry(participant).or_default().observe(report);
        Ok(())
    }

    /// Ends a segment. Ending it again changes nothing.
    pub fn stop(&mut self, id: SegmentId, at: WallTime, reason: StopReason) {
        if let Ok(segment) = self.running_mut(id) {
            segment.stopped = Some((at, reason));
            let track = segment.capture.track;
            self.running.remove(&track);
        }
    }

    /// Ends the segments of all who have not agreed (any more) at `at`; returns
    /// them. To be called with each change of consent.
    pub fn enforce(&mut self, gate: &Gate, at: WallTime) -> Vec<SegmentId> {
        let refused: Vec<_> = self
            .running()
            .filter(|segment| !gate.allows(segment.capture.participant, at))
            .map(|segment| segment.id)
            .collect();
        for id in &refused {
            self.stop(*id, at, StopReason::ConsentWithdrawn);
        }
        refused
    }

    /// Ends everything: the recording is over.
    pub fn finish(&mut self, at: WallTime) {
        let running: Vec<_> = self.running.values().copied().collect();
        for id in running {
            self.stop(id, at, StopReason::RecordingEnded);
        }
    }

    /// All segments, in order of their start.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub fn running(&self) -> impl Iterator<Item = &Segment> {
        self.running.values().filter_map(|id| self.segments.get(id.0 as usize))
    }

    /// The server's time of an extended timestamp; better known after the
    /// recording than during it, as reports add up.
    pub fn wall_time(&self, id: SegmentId, rtp: i64) -> Option<WallTime> {
        let segment = self.segments.get(id.0 as usize)?;
        let sender = self.senders.get(&segment.capture.participant).copied().unwrap_or_default();
        Some(segment.clock.wall(rtp, &sender))
    }

    /// From the first to the newest packet of a segment, on the server's time.
    pub fn span(&self, id: SegmentId) -> Option<(WallTime, WallTime)> {
        let segment = self.segments.get(id.0 as usize)?;
        let first = i64::from(segment.capture.rtp);
        Some((self.wall_time(id, first)?, self.wall_time(id, segment.clock.newest())?))
    }

    fn running_mut(&mut self, id: SegmentId) -> Result<&mut Segment, RecordError> {
        self.segments
            .get_mut(id.0 as usize)
            .filter(|segment| segment.stopped.is_none())
            .ok_or(RecordError::NotRunning)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Decision, Evidence, Means, SenderTime};

    const ANNA: ParticipantKey = ParticipantKey(1);
    const SECOND: u64 = 1_000_000;

    fn decide(gate: &mut Gate, decision: Decision, at: u64) {
        let evidence = Evidence {
            participant: ANNA,
            identity: "account 1".into(),
            decision,
            at: WallTime(at),
            wording: "recording-en-3".into(),
            means: Means::Prejoin,
        };
        gate.record(evidence).unwrap();
    }

    fn capture(track: u64, arrived: u64) -> Capture {
        Capture {
            track: TrackKey(track),
            participant: ANNA,
            kind: MediaKind::Video,
            source: Source::Camera,
            clock_rate: 90_000,
            rtp: u32::MAX - 89_999,
            arrived: WallTime(arrived),
        }
    }

    #[test]
    fn nothing_of_who_has_not_agreed() {
        let mut gate = Gate::new();
        let mut timeline = Timeline::new();
        assert_eq!(timeline.start(capture(1, 10), &gate), Err(RecordError::NoConsent));
        decide(&mut gate, Decision::Granted, 20);
        assert_eq!(timeline.start(capture(1, 19), &gate), Err(RecordError::NoConsent), "not of before");
        assert!(timeline.start(capture(1, 20), &gate).is_ok());
        assert_eq!(timeline.segments().len(), 1);
    }

    #[test]
    fn a_withdrawal_ends_it_even_before_it_is_enforced() {
        let mut gate = Gate::new();
        let mut timeline = Timeline::new();
        decide(&mut gate, Decision::Granted, 0);
        let id = timeline.start(capture(1, 0), &gate).unwrap();
        decide(&mut gate, Decision::Withdrawn, SECOND);
        assert!(timeline.packet(id, 5, WallTime(SECOND - 1), &gate).is_ok());
        assert_eq!(timeline.packet(id, 6, WallTime(SECOND), &gate), Err(RecordError::NoConsent));
        assert_eq!(timeline.enforce(&gate, WallTime(SECOND)), [id]);
        assert_eq!(timeline.segments()[0].stopped, Some((WallTime(SECOND), StopReason::ConsentWithdrawn)));
        assert_eq!(timeline.packet(id, 7, WallTime(0), &gate), Err(RecordError::NotRunning));
        assert!(timeline.enforce(&gate, WallTime(SECOND)).is_empty());
    }

    #[test]
    fn a_segment_is_placed_on_the_servers_time() {
        let mut gate = Gate::new();
        let mut timeline = Timeline::new();
        decide(&mut gate, Decision::Granted, 0);
        let id = timeline.start(capture(1, 100 * SECOND), &gate).unwrap();
        assert_eq!(timeline.packet(id, 90_000, WallTime(102 * SECOND), &gate).unwrap(), (1 << 32) + 90_000);
        let (from, to) = timeline.span(id).unwrap();
        assert_eq!((from, to), (WallTime(100 * SECOND), WallTime(102 * SECOND)), "over the wrap");
        let report = SenderReport {
            sender: SenderTime(7 * SECOND),
            rtp: 0,
            arrived: WallTime(100 * SECOND + SECOND / 2),
        };
        timeline.report(id, &report).unwrap();
        let (from, to) = timeline.span(id).unwrap();
        assert_eq!(from, WallTime(99 * SECOND + SECOND / 2), "the first packet was late");
        assert_eq!(to, WallTime(101 * SECOND + SECOND / 2));
    }

    #[test]
    fn a_track_is_captured_once_at_a_time() {
        let mut gate = Gate::new();
        let mut timeline = Timeline::new();
        decide(&mut gate, Decision::Granted, 0);
        let first = timeline.start(capture(1, 0), &gate).unwrap();
        assert_eq!(timeline.start(capture(1, 1), &gate), Err(RecordError::AlreadyCaptured));
        timeline.stop(first, WallTime(2), StopReason::Muted);
        let second = timeline.start(capture(1, 3), &gate).unwrap();
        timeline.start(capture(2, 3), &gate).unwrap();
        assert_ne!(first, second);
        timeline.finish(WallTime(9));
        assert_eq!(timeline.running().count(), 0);
        let reasons: Vec<_> = timeline.segments().iter().map(|segment| segment.stopped.unwrap().1).collect();
        assert_eq!(reasons, [StopReason::Muted, StopReason::RecordingEnded, StopReason::RecordingEnded]);
        assert_eq!(timeline.wall_time(SegmentId(77), 0), None);
    }
}
