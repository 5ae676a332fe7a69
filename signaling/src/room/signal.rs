//! Requests of a client's signal connection.

use livekit_protocol as proto;
use parley_media_rtc::{Connection, ParticipantKey, PeerMode};
use proto::signal_request::Message as Request;

use super::{MediaCommand, Now, Room};
use crate::ids::SessionId;

/// Bytes of a candidate that is looked at.
const MAX_CANDIDATE: usize = 4_096;

impl Room {
    /// Handles one request. Requests of sessions that are no longer a
    /// participant's are ignored.
    pub(crate) fn request(&mut self, session: SessionId, request: Request, now: Now) {
        let Some(key) = self.by_session.get(&session).copied() else { return };
        match request {
            Request::Offer(offer) => self.offer(key, offer),
            Request::Answer(answer) => self.answer(key, answer),
            Request::Trickle(trickle) => self.trickle(key, &trickle),
            Request::AddTrack(request) => self.add_track(key, request, now),
            Request::Mute(request) => self.mute(key, &request, now),
            Request::Subscription(update) => self.update_subscription(key, update),
            Request::TrackSetting(update) => self.track_settings(key, &update),
            Request::Leave(_) => self.client_left(key, now),
            #[allow(deprecated)]
            Request::UpdateLayers(update) => self.update_layers(key, update),
            Request::SubscriptionPermission(message) => self.subscription_permission(key, message),
            Request::SyncState(state) => self.sync_state(key, state),
            Request::Simulate(scenario) => self.simulate(key, &scenario, now),
            Request::UpdateMetadata(update) => self.update_metadata(key, update, now),
            Request::UpdateAudioTrack(update) => self.update_audio(key, update),
            Request::UpdateVideoTrack(update) => self.update_video(key, &update),
            Request::PublishDataTrackRequest(request) => self.publish_data_track(key, request),
            Request::UnpublishDataTrackRequest(request) => self.unpublish_data_track(key, request),
            Request::UpdateDataSubscription(update) => self.update_data_subscription(key, &update),
            Request::StoreDataBlobRequest(request) => self.no_blobs(key, request.request_id),
            Request::GetDataBlobRequest(request) => self.no_blobs(key, request.request_id),
            // Answered by the session itself, without a way through the room.
            Request::Ping(_) | Request::PingReq(_) => {}
        }
    }

    /// Clients that do not echo the offer's id mean the last one.
    fn answer(&mut self, key: ParticipantKey, answer: proto::SessionDescription) {
        let Some(participant) = self.participants.get(&key) else { return };
        let id = if answer.id == 0 { participant.last_offer } else { answer.id };
        self.media(MediaCommand::Answer { participant: key, id, sdp: answer.sdp });
    }

    fn no_blobs(&mut self, key: ParticipantKey, request_id: u32) {
        let reason = super::publish::Reason::UnsupportedType;
        self.respond(key, request_id, reason, "this server stores no data blobs", None);
    }

    fn trickle(&mut self, key: ParticipantKey, trickle: &proto::TrickleRequest) {
        let Some(participant) = self.participants.get(&key) else { return };
        if trickle.candidate_init.len() > MAX_CANDIDATE {
            return;
        }
        let Some(candidate) = candidate(&trickle.candidate_init) else { return };
        let connection = match (participant.mode, trickle.target()) {
            (PeerMode::Dual, proto::SignalTarget::Subscriber) => Connection::Subscriber,
            _ => Connection::Publisher,
        };
        self.media(MediaCommand::Trickle { participant: key, connection, candidate });
    }

    #[allow(deprecated)]
    fn update_layers(&mut self, key: ParticipantKey, update: proto::UpdateVideoLayers) {
        let Some(track) = self.own_track(key, &update.track_sid) else { return };
        track.info.layers = update.layers.into_iter().take(8).collect();
        if track.published {
            self.announce(key);
        }
    }
}

/// The candidate line in a JSON `RTCIceCandidateInit`; `None` for the end of candidates.
fn candidate(init: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Init {
        candidate: String,
    }
    let init: Init = serde_json::from_str(init).ok()?;
    let line = init.candidate.trim();
    let line = line.strip_prefix("a=").unwrap_or(line);
    line.starts_with("candidate:").then(|| line.to_owned())
}
