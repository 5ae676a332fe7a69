//! Tracks: announcing, negotiating, muting, ending.

use livekit_protocol as proto;
use parley_media_rtc::{Answer, MediaError, ParticipantKey, TrackKey};
use proto::{leave_request::Action, signal_response::Message};

use super::{
    LeaveReason, MediaCommand, Now, Room, RoomEventKind,
    bandwidth::bounded,
    track::{Track, mime_type, timed_version},
};
use crate::ids::{Identity, ParticipantSid, TrackSid};

/// Bytes of a track's cid and name.
const MAX_TRACK_NAME: usize = 512;
/// Simulcast codecs of one track.
const MAX_CODECS: usize = 4;

impl Room {
    pub(super) fn add_track(&mut self, key: ParticipantKey, request: proto::AddTrackRequest, now: Now) {
        let Some(participant) = self.participants.get(&key) else { return };
        let too_long = request.cid.len() > MAX_TRACK_NAME
            || request.name.len() > MAX_TRACK_NAME
            || request.simulcast_codecs.len() > MAX_CODECS;
        let restricted = !participant.permission.can_publish_sources.is_empty();
        let misnamed = restricted && !is_of_kind(request.source(), request.r#type());
        let refusal = if misnamed || !participant.may_publish(request.source()) {
            Some((Reason::NotAllowed, "the access token does not allow to publish this source"))
        } else if request.r#type() == proto::TrackType::Data {
            Some((Reason::UnsupportedType, "data tracks are published with publish_data_track_request"))
        } else if request.cid.is_empty() || too_long {
            Some((Reason::InvalidRequest, "a track needs a cid, and its texts have a limit"))
        } else if participant.tracks.len() >= self.settings.limits.tracks_per_participant {
            Some((Reason::LimitExceeded, "too many tracks"))
        } else {
            None
        };
        if let Some((reason, text)) = refusal {
            let request = proto::request_response::Request::AddTrack(request);
            self.respond(key, 0, reason, text, Some(request));
            return;
        }
        // A further codec of a track (or a repeated request) names the track again.
        let known = participant.tracks.iter().copied().find(|track| {
            let track = &self.tracks[track];
            track.sid.0 == request.sid || (request.sid.is_empty() && track.cids.contains(&request.cid))
        });
        if let Some(known) = known {
            self.confirm_track(key, known, request.cid);
            return;
        }
        let (track_key, sid) = self.ids.track();
        let track = Track::new(track_key, sid.clone(), key, &request, now.wall_ms);
        let spec = track.spec(&participant.sid);
        self.tracks.insert(track_key, track);
        self.by_track_sid.insert(sid, track_key);
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.tracks.push(track_key);
        }
        self.media(MediaCommand::DeclareTrack { participant: key, spec });
        self.confirm_track(key, track_key, request.cid);
    }

    fn confirm_track(&mut self, key: ParticipantKey, track: TrackKey, cid: String) {
        let info = self.tracks.get(&track).map(|track| track.info.clone());
        self.send(key, Message::TrackPublished(proto::TrackPublishedResponse { cid, track: info }));
    }

    /// The client's offer for the publisher (or only) connection.
    pub(super) fn offer(&mut self, key: ParticipantKey, offer: proto::SessionDescription) {
        self.media(MediaCommand::Offer { participant: key, id: offer.id, sdp: offer.sdp });
    }

    /// The worker's answer to an offer, or why there is none.
    pub(crate) fn answered(
        &mut self,
        key: ParticipantKey,
        id: u32,
        result: Result<Answer, MediaError>,
        now: Now,
    ) {
        match result {
            Ok(answer) => {
                let sdp = match self.settings.limits.publish_kbps {
                    0 => answer.sdp,
                    kbps => bounded(&answer.sdp, kbps),
                };
                let description = proto::SessionDescription {
                    r#type: "answer".to_owned(),
                    sdp,
                    id,
                    mid_to_track_id: answer.mid_to_track.into_iter().collect(),
                };
                self.send(key, Message::Answer(description));
                for track in answer.published {
                    self.publish(track, now);
                }
            }
            Err(MediaError::BadSdp(_) | MediaError::Limit(_)) => self.cannot_negotiate(key, now),
            Err(MediaError::UnknownParticipant | MediaError::UnknownTrack) => {}
            Err(MediaError::PeerFailed | MediaError::Stopped) => {
                self.remove(key, LeaveReason::MediaFailure, Some(Action::Reconnect), now);
            }
        }
    }

    /// Tells others of a track, once.
    pub(super) fn publish(&mut self, track_key: TrackKey, now: Now) {
        let Some(track) = self.tracks.get_mut(&track_key).filter(|track| !track.published) else { return };
        track.published = true;
        let (publisher, sid, source) = (track.publisher, track.sid.clone(), track.source());
        self.announce(publisher);
        self.offer_to_subscribers(track_key);
        let Some(participant) = self.participants.get(&publisher) else { return };
        let (identity, participant) = (participant.identity.clone(), participant.sid.clone());
        if let Some(info) = self.tracks.get(&track_key).map(|track| track.info.clone()) {
            self.tell_track("track_published", &info, (identity.as_str(), participant.as_str()), now);
        }
        self.event(RoomEventKind::TrackPublished { identity, participant, track: sid, source }, now);
    }

    /// The first packet came: now the codec is known.
    pub(super) fn track_started(&mut self, track_key: TrackKey, mid: String, mime: &str, now: Now) {
        let Some(track) = self.tracks.get_mut(&track_key) else { return };
        let audio = track.info.r#type() == proto::TrackType::Audio;
        let mime = mime_type(audio, mime);
        let changed = track.info.mime_type != mime || track.info.mid != mid;
        track.info.mime_type.clone_from(&mime);
        track.info.mid.clone_from(&mid);
        if let Some(codec) = track.info.codecs.first_mut() {
            codec.mime_type = mime;
            codec.mid = mid;
        }
        track.info.version = Some(timed_version(now.wall_ms));
        let (published, publisher) = (track.published, track.publisher);
        if !published {
            self.publish(track_key, now);
        } else if changed {
            self.announce(publisher);
        }
    }

    /// The client took the track out of its offer.
    pub(super) fn track_ended(&mut self, track_key: TrackKey, now: Now) {
        let Some(publisher) = self.tracks.get(&track_key).map(|track| track.publisher) else { return };
        let Some(participant) = self.participants.get_mut(&publisher) else { return };
        participant.tracks.retain(|key| *key != track_key);
        let (identity, sid) = (participant.identity.clone(), participant.sid.clone());
        self.forget_track(track_key, &identity, &sid, now);
        self.media(MediaCommand::EndTrack { track: track_key });
        self.announce(publisher);
    }

    /// Drops a track from all tables; its publisher's list is the caller's.
    pub(super) fn forget_track(
        &mut self,
        track_key: TrackKey,
        identity: &Identity,
        participant: &ParticipantSid,
        now: Now,
    ) {
        let Some(track) = self.tracks.remove(&track_key) else { return };
        self.by_track_sid.remove(&track.sid);
        for subscriber in self.participants.values_mut() {
            subscriber.subscriptions.remove(&track_key);
        }
        if track.published {
            self.tell_unpublished(&track, (identity.as_str(), participant.as_str()), now);
            let kind = RoomEventKind::TrackUnpublished {
                identity: identity.clone(),
                participant: participant.clone(),
                track: track.sid,
            };
            self.event(kind, now);
        }
    }

    /// A track of `key` itself.
    pub(super) fn own_track(&mut self, key: ParticipantKey, sid: &str) -> Option<&mut Track> {
        let track = self.by_track_sid.get(&TrackSid::from(sid))?;
        self.tracks.get_mut(track).filter(|track| track.publisher == key)
    }

    pub(super) fn mute(&mut self, key: ParticipantKey, request: &proto::MuteTrackRequest, now: Now) {
        let Some(track) = self.own_track(key, &request.sid) else {
            let echo = proto::request_response::Request::Mute(request.clone());
            self.respond(key, 0, Reason::NotFound, "no such track", Some(echo));
            return;
        };
        if track.info.muted == request.muted {
            return;
        }
        track.info.muted = request.muted;
        track.info.version = Some(timed_version(now.wall_ms));
        let (track_key, published) = (track.key, track.published);
        self.media(MediaCommand::MuteTrack { track: track_key, muted: request.muted });
        if published {
            self.announce(key);
        }
    }

    /// Mutes a track by command of the control plane; its client is told.
    pub(crate) fn force_mute(&mut self, sid: &TrackSid, muted: bool, now: Now) -> bool {
        let Some(track) = self.by_track_sid.get(sid).and_then(|key| self.tracks.get(key)) else {
            return false;
        };
        let publisher = track.publisher;
        let request = proto::MuteTrackRequest { sid: sid.0.clone(), muted };
        self.send(publisher, Message::Mute(request.clone()));
        self.mute(publisher, &request, now);
        true
    }

    pub(super) fn update_audio(&mut self, key: ParticipantKey, update: proto::UpdateLocalAudioTrack) {
        let Some(track) = self.own_track(key, &update.track_sid) else { return };
        track.info.audio_features = update.features.into_iter().take(16).collect();
        if track.published {
            self.announce(key);
        }
    }

    pub(super) fn update_video(&mut self, key: ParticipantKey, update: &proto::UpdateLocalVideoTrack) {
        let Some(track) = self.own_track(key, &update.track_sid) else { return };
        track.info.width = update.width;
        track.info.height = update.height;
        if track.published {
            self.announce(key);
        }
    }

    pub(super) fn respond(
        &mut self,
        key: ParticipantKey,
        request_id: u32,
        reason: Reason,
        text: &str,
        request: Option<proto::request_response::Request>,
    ) {
        let response =
            proto::RequestResponse { request_id, reason: reason as i32, message: text.to_owned(), request };
        self.send(key, Message::RequestResponse(response));
    }
}

/// A grant for a source is one for its kind: no picture from a microphone.
fn is_of_kind(source: proto::TrackSource, kind: proto::TrackType) -> bool {
    use proto::{TrackSource, TrackType};
    match source {
        TrackSource::Microphone | TrackSource::ScreenShareAudio => kind == TrackType::Audio,
        TrackSource::Camera | TrackSource::ScreenShare => kind == TrackType::Video,
        TrackSource::Unknown => true,
    }
}

pub(super) use proto::request_response::Reason;
