//! What the media worker tells, turned into the protocol's messages.

use std::time::Duration;

use livekit_protocol as proto;
use parley_media_rtc::{
    ConnectionQuality, ConnectionState, MediaError, MediaEvent, ParticipantKey, Speaker, StreamState,
    TrackKey,
};
use proto::{leave_request::Action, participant_info::State, signal_response::Message};

use super::{LeaveReason, Now, Output, Room, RoomEventKind, leave_message};

/// Clients of before read `can_reconnect` of a `leave` alone, and would start anew.
const RESUME_PROTOCOL: i32 = 13;
/// A client is told to resume at most this often; on a network that comes and goes it would do nothing else.
const RESUME_REST: Duration = Duration::from_secs(10);

impl Room {
    pub(crate) fn media_event(&mut self, event: MediaEvent, now: Now) {
        match event {
            MediaEvent::ConnectionState { participant, state, .. } => {
                self.connection_state(participant, state, now);
            }
            MediaEvent::Unreachable { participant, .. } => self.unreachable(participant, now),
            MediaEvent::Offer { participant, id, sdp, mid_to_track } => {
                if let Some(participant) = self.participants.get_mut(&participant) {
                    participant.last_offer = id;
                }
                let description = proto::SessionDescription {
                    r#type: "offer".to_owned(),
                    sdp,
                    id,
                    mid_to_track_id: mid_to_track.into_iter().collect(),
                };
                self.send(participant, Message::Offer(description));
            }
            MediaEvent::SectionsRequired { participant, audio, video } => {
                let requirement = proto::MediaSectionsRequirement { num_audios: audio, num_videos: video };
                self.send(participant, Message::MediaSectionsRequirement(requirement));
            }
            MediaEvent::TrackStarted { track, mid, mime, .. } => self.track_started(track, mid, &mime, now),
            MediaEvent::TrackEnded { track, .. } => self.track_ended(track, now),
            MediaEvent::Subscribed { track, .. } => self.track_subscribed(track),
            MediaEvent::Data { participant, kind, data } => self.data(participant, kind, &data),
            MediaEvent::StreamStates { participant, states } => self.stream_states(participant, &states),
            MediaEvent::SubscribedQuality { publisher, track, mime, max } => {
                self.subscribed_quality(publisher, track, &mime, max);
            }
            MediaEvent::Speakers(speakers) => self.speakers(&speakers),
            MediaEvent::Quality { participant, quality, score } => self.quality(participant, quality, score),
            MediaEvent::Closed { reason } => self.media_closed(reason, now),
        }
    }

    /// The worker could not do what the room told it for a participant.
    pub(crate) fn media_failed(&mut self, key: ParticipantKey, error: &MediaError, now: Now) {
        match error {
            MediaError::UnknownTrack => {}
            MediaError::Stopped => self.media_closed("the media worker has stopped", now),
            MediaError::BadSdp(_) | MediaError::Limit(_) => self.cannot_negotiate(key, now),
            MediaError::UnknownParticipant | MediaError::PeerFailed => {
                self.remove(key, LeaveReason::MediaFailure, Some(Action::Reconnect), now);
            }
        }
    }

    /// A description is not usable, or a bound is reached. Who was connected may be again with a
    /// fresh connection; who never was will not be.
    pub(super) fn cannot_negotiate(&mut self, key: ParticipantKey, now: Now) {
        let Some(participant) = self.participants.get(&key) else { return };
        let (reason, action) = match participant.is_active() {
            true => (LeaveReason::MediaFailure, Action::Reconnect),
            false => (LeaveReason::JoinFailure, Action::Disconnect),
        };
        self.remove(key, reason, Some(action), now);
    }

    fn media_closed(&mut self, reason: &'static str, now: Now) {
        tracing::warn!(room = %self.sid, reason, "the media worker closed the room");
        self.close(LeaveReason::MediaFailure, Action::Reconnect, now);
    }

    fn connection_state(&mut self, key: ParticipantKey, state: ConnectionState, now: Now) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        match state {
            // Either connection: whoever can send or receive is there, and is told to be.
            ConnectionState::Connected if !participant.is_active() => {
                participant.state = State::Active;
                let kind = RoomEventKind::ParticipantJoined {
                    identity: participant.identity.clone(),
                    sid: participant.sid.clone(),
                    name: participant.name.clone(),
                    attributes: participant.attributes.clone().into_iter().collect(),
                };
                self.announce(key);
                self.event(kind, now);
                if let Some(participant) = self.participants.get(&key) {
                    let info = self.info(participant);
                    self.tell_joined(info, now);
                }
            }
            // Not at once: a client that leaves closes its connection before its
            // `leave` has arrived here.
            ConnectionState::Failed => {
                participant.failed_at.get_or_insert(now.mono);
            }
            // Comes back by an ICE restart, or fails.
            ConnectionState::Connected | ConnectionState::Disconnected => {}
        }
    }

    /// Media has stopped, and only the client can find another way: it resumes at once and restarts
    /// ICE, instead of waiting until it notices by itself (SDKs: after 15 s and more).
    fn unreachable(&mut self, key: ParticipantKey, now: Now) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        let Some(session) = participant.session.filter(|_| participant.is_active()) else { return };
        let asked = participant.resume_asked_at;
        let resting = asked.is_some_and(|at| now.mono.saturating_duration_since(at) < RESUME_REST);
        if participant.client.protocol < RESUME_PROTOCOL || resting {
            return;
        }
        participant.resume_asked_at = Some(now.mono);
        let message = leave_message(LeaveReason::ConnectionTimeout, Action::Resume);
        self.outputs.push_back(Output::Send { to: vec![session], message: Box::new(message) });
    }

    fn track_subscribed(&mut self, track: TrackKey) {
        let Some(track) = self.tracks.get_mut(&track).filter(|track| !track.subscribed_told) else { return };
        track.subscribed_told = true;
        let (publisher, track_sid) = (track.publisher, track.sid.0.clone());
        self.send(publisher, Message::TrackSubscribed(proto::TrackSubscribed { track_sid }));
    }

    fn stream_states(&mut self, key: ParticipantKey, states: &[(TrackKey, StreamState)]) {
        let stream_states: Vec<proto::StreamStateInfo> = states
            .iter()
            .filter_map(|(track, state)| {
                let track = self.tracks.get(track)?;
                let publisher = self.participants.get(&track.publisher)?;
                let state = match state {
                    StreamState::Active => proto::StreamState::Active,
                    StreamState::Paused => proto::StreamState::Paused,
                };
                Some(proto::StreamStateInfo {
                    participant_sid: publisher.sid.0.clone(),
                    track_sid: track.sid.0.clone(),
                    state: state as i32,
                })
            })
            .collect();
        if !stream_states.is_empty() {
            self.send(key, Message::StreamStateUpdate(proto::StreamStateUpdate { stream_states }));
        }
    }

    fn subscribed_quality(
        &mut self,
        publisher: ParticipantKey,
        track: TrackKey,
        mime: &str,
        max: Option<u8>,
    ) {
        let Some(track) = self.tracks.get_mut(&track) else { return };
        let qualities: Vec<proto::SubscribedQuality> = (0..=2u8)
            .map(|quality| proto::SubscribedQuality {
                quality: i32::from(quality),
                enabled: max.is_some_and(|max| quality <= max),
            })
            .collect();
        let codec = mime.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        #[allow(deprecated)]
        let update = proto::SubscribedQualityUpdate {
            track_sid: track.sid.0.clone(),
            subscribed_qualities: qualities.clone(),
            subscribed_codecs: vec![proto::SubscribedCodec { codec, qualities }],
        };
        track.quality_told = Some(update.clone());
        self.send(publisher, Message::SubscribedQualityUpdate(update));
    }

    /// A resumed publisher learns again which of its layers are watched.
    pub(super) fn tell_qualities(&mut self, key: ParticipantKey) {
        let Some(participant) = self.participants.get(&key) else { return };
        let tracks = participant.tracks.iter().filter_map(|track| self.tracks.get(track));
        let told: Vec<_> = tracks.filter_map(|track| track.quality_told.clone()).collect();
        for update in told {
            self.send(key, Message::SubscribedQualityUpdate(update));
        }
    }

    fn speakers(&mut self, speakers: &[Speaker]) {
        let mut changed = Vec::new();
        for speaker in speakers {
            if speaker.active && self.participants.contains_key(&speaker.participant) {
                self.speakers.insert(speaker.participant, *speaker);
            } else {
                self.speakers.remove(&speaker.participant);
            }
            changed.extend(self.speaker_info(*speaker));
        }
        self.send_speakers(changed);
    }

    pub(super) fn send_speakers(&mut self, speakers: Vec<proto::SpeakerInfo>) {
        if !speakers.is_empty() {
            self.broadcast(Message::SpeakersChanged(proto::SpeakersChanged { speakers }), |_| true);
        }
    }

    /// A newcomer learns who is speaking.
    pub(super) fn tell_speakers(&mut self, key: ParticipantKey) {
        let speakers: Vec<proto::SpeakerInfo> =
            self.speakers.values().filter_map(|speaker| self.speaker_info(*speaker)).collect();
        if !speakers.is_empty() {
            self.send(key, Message::SpeakersChanged(proto::SpeakersChanged { speakers }));
        }
    }

    pub(super) fn speaker_info(&self, speaker: Speaker) -> Option<proto::SpeakerInfo> {
        let participant =
            self.participants.get(&speaker.participant).filter(|participant| !participant.hidden())?;
        Some(proto::SpeakerInfo {
            sid: participant.sid.0.clone(),
            level: speaker.level,
            active: speaker.active,
        })
    }

    /// Told to the participant itself and to those who receive something of it.
    fn quality(&mut self, key: ParticipantKey, quality: ConnectionQuality, score: f32) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        participant.quality = Some((quality, score));
        let info = proto::ConnectionQualityInfo {
            participant_sid: participant.sid.0.clone(),
            quality: proto_quality(quality) as i32,
            score,
        };
        let tracks = participant.tracks.clone();
        let hidden = participant.hidden();
        let message = Message::ConnectionQuality(proto::ConnectionQualityUpdate { updates: vec![info] });
        self.broadcast(message, |receiver| {
            let receives = || {
                tracks.iter().any(|track| receiver.subscriptions.get(track).is_some_and(|wish| wish.active))
            };
            receiver.key == key || (!hidden && receives())
        });
    }
}

fn proto_quality(quality: ConnectionQuality) -> proto::ConnectionQuality {
    match quality {
        ConnectionQuality::Lost => proto::ConnectionQuality::Lost,
        ConnectionQuality::Poor => proto::ConnectionQuality::Poor,
        ConnectionQuality::Good => proto::ConnectionQuality::Good,
        ConnectionQuality::Excellent => proto::ConnectionQuality::Excellent,
    }
}
