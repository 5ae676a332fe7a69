//! Going out: by wish, by force, by silence.

use std::time::Duration;

use livekit_protocol as proto;
use parley_media_rtc::ParticipantKey;
use proto::{leave_request::Action, participant_info::State, signal_response::Message};

use super::{
    Departed, LeaveReason, MAX_DEPARTED, MAX_REVOKED, MediaCommand, Now, Output, Room, RoomEventKind,
    leave_message,
};
use crate::{
    ids::{Identity, SessionId},
    revoked::RevokedInRoom,
};

/// How long a failed media connection may be the beginning of a goodbye.
const FAILURE_GRACE: Duration = Duration::from_secs(1);

impl Room {
    /// The socket is gone without a word. A participant that has had a media connection stays for
    /// the resume timeout, so that it can resume; others have never been here.
    pub(crate) fn session_lost(&mut self, session: SessionId, now: Now) {
        let Some(key) = self.by_session.remove(&session) else { return };
        let Some(participant) = self.participants.get_mut(&key) else { return };
        if participant.session != Some(session) {
            return;
        }
        participant.session = None;
        participant.lost_at = Some(now.mono);
        if !participant.is_active() {
            // Nothing to take up again: it comes anew, if it comes.
            self.remove(key, LeaveReason::SignalClose, None, now);
        }
    }

    /// Takes a participant out. `tell` = the last word to its client, if any.
    pub(super) fn remove(
        &mut self,
        key: ParticipantKey,
        reason: LeaveReason,
        tell: Option<Action>,
        now: Now,
    ) {
        let Some(participant) = self.participants.remove(&key) else { return };
        self.by_identity.remove(&participant.identity);
        self.speakers.remove(&key);
        if let Some(session) = participant.session {
            self.by_session.remove(&session);
            if let Some(action) = tell {
                let message = leave_message(reason, action);
                self.outputs.push_back(Output::Send { to: vec![session], message: Box::new(message) });
            }
            self.outputs.push_back(Output::Close { session });
        }
        for track in &participant.tracks {
            self.forget_track(*track, &participant.identity, &participant.sid, now);
        }
        self.forget_data_tracks(&participant);
        self.forget_rpc(key);
        self.media(MediaCommand::Leave { participant: key });

        let mut info = participant.info(Vec::new());
        info.state = State::Disconnected as i32;
        info.disconnect_reason = reason as i32;
        info.version += 1;
        if !participant.hidden() {
            let update = proto::ParticipantUpdate { participants: vec![info.clone()] };
            self.broadcast(Message::Update(update), |_| true);
            if self.departed.len() == MAX_DEPARTED {
                self.departed.pop_front();
            }
            self.departed.push_back(Departed { info, at: now.mono });
        }
        self.tell_left(&participant, reason, now);
        if participant.is_active() {
            let (identity, sid) = (participant.identity, participant.sid);
            self.event(RoomEventKind::ParticipantLeft { identity, sid, reason }, now);
        }
        if self.participants.is_empty() {
            self.empty_since = now.mono;
        }
    }

    /// The client says goodbye.
    pub(super) fn client_left(&mut self, key: ParticipantKey, now: Now) {
        self.remove(key, LeaveReason::ClientInitiated, Some(Action::Disconnect), now);
    }

    /// Sends somebody away. Tokens issued to the identity until now are refused
    /// from here on, also the refreshed ones. True if it was there.
    pub(crate) fn expel(&mut self, identity: &Identity, now: Now) -> bool {
        self.refuse_tokens_of(identity, u64::try_from(now.wall_ms).unwrap_or(0));
        let Some(key) = self.by_identity.get(identity).copied() else { return false };
        self.remove(key, LeaveReason::ParticipantRemoved, Some(Action::Disconnect), now);
        true
    }

    /// Refuses tokens issued to `identity` up to `until_ms` (Unix time, milliseconds).
    pub(crate) fn refuse_tokens_of(&mut self, identity: &Identity, until_ms: u64) {
        if self.revoked.len() >= MAX_REVOKED {
            // The oldest is forgotten first; its refreshed token has expired long ago.
            let oldest =
                self.revoked.iter().min_by_key(|(_, until_ms)| **until_ms).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                self.revoked.remove(&oldest);
            }
        }
        let kept = self.revoked.entry(identity.clone()).or_default();
        *kept = until_ms.max(*kept);
    }

    /// Takes over who was removed before the room was opened.
    pub(crate) fn refuse_tokens(&mut self, revoked: RevokedInRoom) {
        self.revoked = revoked;
    }

    /// Ends the room and tells everybody.
    pub(crate) fn close(&mut self, reason: LeaveReason, action: Action, now: Now) {
        if self.closed {
            return;
        }
        // One message for all, and no update about each other: they all go.
        let message = leave_message(reason, action);
        self.broadcast(message, |_| true);
        let participants = std::mem::take(&mut self.participants);
        for participant in participants.into_values() {
            if let Some(session) = participant.session {
                self.outputs.push_back(Output::Close { session });
            }
            for track in &participant.tracks {
                self.forget_track(*track, &participant.identity, &participant.sid, now);
            }
            self.tell_left(&participant, reason, now);
            if participant.is_active() {
                let (identity, sid) = (participant.identity, participant.sid);
                self.event(RoomEventKind::ParticipantLeft { identity, sid, reason }, now);
            }
        }
        self.by_identity.clear();
        self.by_session.clear();
        self.closed = true;
        self.event(RoomEventKind::Finished, now);
        self.tell_room_finished(reason, now);
    }

    pub(super) fn expire_participants(&mut self, now: Now) {
        let past =
            |since: std::time::Instant, limit: Duration| now.mono.saturating_duration_since(since) >= limit;
        let mut gone = Vec::new();
        for participant in self.participants.values() {
            if participant.failed_at.is_some_and(|at| past(at, FAILURE_GRACE)) {
                gone.push((participant.key, LeaveReason::MediaFailure, Action::Reconnect));
            } else if participant.lost_at.is_some_and(|at| past(at, self.settings.resume_timeout)) {
                gone.push((participant.key, LeaveReason::SignalClose, Action::Disconnect));
            } else if !participant.is_active() && past(participant.joined_at, self.settings.connect_timeout) {
                gone.push((participant.key, LeaveReason::JoinFailure, Action::Disconnect));
            }
        }
        for (key, reason, action) in gone {
            self.remove(key, reason, Some(action), now);
        }
    }
}
