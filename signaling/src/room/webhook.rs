//! What webhooks tell of a room, in LiveKit's words.

use livekit_protocol as proto;
use proto::participant_info::State;

use super::{LeaveReason, Now, Output, Participant, Room, track::Track};

impl Room {
    fn webhook(
        &mut self,
        event: &str,
        participant: Option<proto::ParticipantInfo>,
        track: Option<proto::TrackInfo>,
        now: Now,
    ) {
        if !self.settings.webhooks {
            return;
        }
        let event = proto::WebhookEvent {
            event: event.to_owned(),
            room: Some(self.room_info()),
            participant,
            track,
            id: self.ids.webhook_event(),
            created_at: now.wall_ms / 1_000,
            ..Default::default()
        };
        self.outputs.push_back(Output::Webhook(Box::new(event)));
    }

    pub(super) fn tell_room_started(&mut self, now: Now) {
        self.webhook("room_started", None, None, now);
    }

    pub(super) fn tell_room_finished(&mut self, reason: LeaveReason, now: Now) {
        self.webhook("room_finished", None, None, now);
        if let Some(Output::Webhook(event)) = self.outputs.back_mut() {
            event.room_end_reason = end_reason(reason) as i32;
        }
    }

    pub(super) fn tell_joined(&mut self, participant: proto::ParticipantInfo, now: Now) {
        self.webhook("participant_joined", Some(participant), None, now);
    }

    /// `participant_left` of one who was there, `participant_connection_aborted` of one who never
    /// got a media connection.
    pub(super) fn tell_left(&mut self, participant: &Participant, reason: LeaveReason, now: Now) {
        let mut info = participant.info(Vec::new());
        info.state = State::Disconnected as i32;
        info.disconnect_reason = reason as i32;
        let event = match participant.is_active() {
            true => "participant_left",
            false => "participant_connection_aborted",
        };
        self.webhook(event, Some(info), None, now);
    }

    pub(super) fn tell_track(
        &mut self,
        event: &str,
        track: &proto::TrackInfo,
        (identity, sid): (&str, &str),
        now: Now,
    ) {
        let participant = proto::ParticipantInfo {
            sid: sid.to_owned(),
            identity: identity.to_owned(),
            ..Default::default()
        };
        self.webhook(event, Some(participant), Some(track.clone()), now);
    }

    pub(super) fn tell_unpublished(&mut self, track: &Track, publisher: (&str, &str), now: Now) {
        self.tell_track("track_unpublished", &track.info, publisher, now);
    }
}

fn end_reason(reason: LeaveReason) -> proto::RoomEndReason {
    match reason {
        LeaveReason::RoomDeleted => proto::RoomEndReason::RoomEndApiDelete,
        LeaveReason::RoomClosed => proto::RoomEndReason::RoomEndIdleTimeout,
        LeaveReason::ServerShutdown => proto::RoomEndReason::RoomEndServerShutdown,
        _ => proto::RoomEndReason::RoomEndUnknown,
    }
}
