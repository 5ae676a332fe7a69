//! Taking up a session after its socket was lost. The peer connections live on;
//! the client restarts ICE by itself in single mode, the server offers in dual mode.

use livekit_protocol as proto;
use parley_media_rtc::{ParticipantKey, PeerMode};
use proto::signal_response::Message;

use super::{JoinRequest, MediaCommand, Now, Output, Room, join::proto_ice_servers};
use crate::ids::{ParticipantSid, SessionId};

impl Room {
    pub(super) fn resume(
        &mut self,
        session: SessionId,
        sid: &ParticipantSid,
        mut request: JoinRequest,
        now: Now,
    ) {
        let identity = crate::ids::Identity::from(&request.claims);
        let known = self.by_identity.get(&identity).copied();
        let key = known.filter(|key| sid.as_str().is_empty() || self.participants[key].sid == *sid);
        let Some(key) = key.filter(|key| self.participants[key].mode == request.mode) else {
            self.refuse_resume(session);
            return;
        };
        let lost_at = self.attach(key, session, now);
        if self.fail_resume(key, session, true, now) {
            return;
        }
        let ice_servers = std::mem::take(&mut request.ice_servers);
        let participant = &self.participants[&key];
        let reconnect = proto::ReconnectResponse {
            ice_servers: proto_ice_servers(ice_servers),
            client_configuration: None,
            server_info: Some(self.settings.server.clone()),
            last_message_seq: participant.last_reliable,
        };
        let mode = participant.mode;
        self.send(key, Message::Reconnect(reconnect));
        self.tell_state(key, lost_at, now);
        self.refresh_token(key, now);
        if let Some(state) = request.sync_state.take() {
            self.sync_state(key, state);
        }
        if let Some(offer) = request.offer.take() {
            self.offer(key, offer);
        }
        if mode == PeerMode::Dual {
            self.media(MediaCommand::RestartSubscriber { participant: key });
        }
        self.fail_resume(key, session, false, now);
    }

    /// Puts the new socket in the place of the old one. Returns since when it was lost.
    fn attach(&mut self, key: ParticipantKey, session: SessionId, now: Now) -> std::time::Instant {
        let Some(participant) = self.participants.get_mut(&key) else { return now.mono };
        let old = participant.session.replace(session);
        participant.may_replay = true;
        // A socket that broke unnoticed may have swallowed updates since the last departure we know of.
        let lost_at = participant.lost_at.take().unwrap_or(participant.joined_at);
        self.by_session.insert(session, key);
        if let Some(old) = old {
            self.by_session.remove(&old);
            self.outputs.push_back(Output::Close { session: old });
        }
        lost_at
    }

    /// Everybody's present state, who left meanwhile, and what was kept.
    fn tell_state(&mut self, key: ParticipantKey, lost_at: std::time::Instant, now: Now) {
        let departed = self.departed.iter().filter(|departed| departed.at >= lost_at);
        let departed = departed.filter(|departed| {
            !self.by_identity.contains_key(&crate::ids::Identity::from(departed.info.identity.as_str()))
        });
        let mut participants: Vec<proto::ParticipantInfo> =
            departed.map(|departed| departed.info.clone()).collect();
        participants.extend(
            self.participants
                .values()
                .filter(|other| other.key == key || !other.hidden())
                .map(|other| self.info(other)),
        );
        self.send(key, Message::Update(proto::ParticipantUpdate { participants }));
        self.send(key, Message::RoomUpdate(proto::RoomUpdate { room: Some(self.room_info()) }));
        self.tell_speakers(key);
        let backlog =
            self.participants.get_mut(&key).map(|participant| std::mem::take(&mut participant.backlog));
        for message in backlog.into_iter().flatten().filter_map(|kept| kept.unsure(now.mono)) {
            if self.still_holds(key, &message) {
                self.send(key, message);
            }
        }
        self.tell_qualities(key);
    }

    /// Would it be right to tell this again?
    fn still_holds(&mut self, key: ParticipantKey, message: &Message) -> bool {
        match message {
            Message::Mute(mute) => {
                self.own_track(key, &mute.sid).is_some_and(|track| track.info.muted == mute.muted)
            }
            _ => true,
        }
    }

    /// What the client believes, told after a resume.
    pub(super) fn sync_state(&mut self, key: ParticipantKey, state: proto::SyncState) {
        if let Some(subscription) = state.subscription {
            self.update_subscription(key, subscription);
        }
        self.disable_tracks(key, &state.track_sids_disabled);
        if let Some(subscription) = state.data_subscription {
            self.update_data_subscription(key, &subscription);
        }
        self.replay_data(key, &state.datachannel_receive_states);
    }
}
