//! A participant changes its own name, metadata and attributes.

use livekit_protocol as proto;
use parley_media_rtc::ParticipantKey;
use proto::request_response::Request;

use super::{
    Now, Room,
    control::{bytes_of, merged},
    publish::Reason,
};

impl Room {
    pub(super) fn update_metadata(
        &mut self,
        key: ParticipantKey,
        update: proto::UpdateParticipantMetadata,
        now: Now,
    ) {
        let limits = &self.settings.limits;
        let Some(participant) = self.participants.get_mut(&key) else { return };
        let attributes = merged(&participant.attributes, &update.attributes);
        let refusal = if !participant.permission.can_update_metadata {
            Some((Reason::NotAllowed, "the access token does not allow to change own metadata"))
        } else if update.metadata.len() > limits.metadata_bytes
            || bytes_of(&attributes) > limits.metadata_bytes
        {
            Some((Reason::LimitExceeded, "metadata and attributes are too large"))
        } else if update.name.len() > limits.name_bytes {
            Some((Reason::LimitExceeded, "the name is too long"))
        } else {
            None
        };
        let request_id = update.request_id;
        if let Some((reason, text)) = refusal {
            self.respond(key, request_id, reason, text, Some(Request::UpdateMetadata(update)));
            return;
        }
        // Empty = unchanged, as SDKs send only what they want to set.
        if !update.metadata.is_empty() {
            participant.metadata.clone_from(&update.metadata);
        }
        if !update.name.is_empty() {
            participant.name.clone_from(&update.name);
        }
        participant.attributes = attributes;
        self.announce(key);
        self.refresh_token(key, now);
        self.respond(key, request_id, Reason::Ok, "", Some(Request::UpdateMetadata(update)));
    }
}
