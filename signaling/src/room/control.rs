//! What the server API does to a room and to those in it.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use livekit_protocol as proto;
use parley_media_rtc::{DataKind, ParticipantKey};
use prost::Message as _;
use proto::{
    data_packet::{Kind, Value},
    leave_request::Action,
    participant_info::State,
    signal_response::Message,
};

use super::{LeaveReason, MediaCommand, Now, Participant, Room};
use crate::{
    ids::{Identity, TrackSid},
    token::Claims,
};

/// Nonces of data messages that are remembered; a repetition comes within seconds.
const MAX_NONCES: usize = 256;

/// Why the server API could not do something in a room that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    #[error("participant does not exist")]
    NoParticipant,
    #[error("track is not found")]
    NoTrack,
    #[error("remote unmute not enabled: only its owner may unmute a track (setting rooms.remote_unmute)")]
    RemoteUnmute,
    #[error("{0}")]
    TooLarge(&'static str),
    #[error("the participant has no signal connection at the moment; try again when it is back")]
    NotConnected,
}

/// A data message that the server itself sends.
#[derive(Clone, Debug, Default)]
pub struct MessageOfServer {
    pub payload: Bytes,
    pub topic: Option<String>,
    pub lossy: bool,
    /// Who gets it, by identity or by sid; nobody named = everybody.
    pub identities: Vec<String>,
    pub sids: Vec<String>,
    /// The same again is dropped; empty = none.
    pub nonce: Vec<u8>,
}

/// Nonces seen lately.
#[derive(Debug, Default)]
pub(super) struct Nonces(VecDeque<Vec<u8>>);

impl Nonces {
    /// False = seen before.
    fn insert(&mut self, nonce: Vec<u8>) -> bool {
        if nonce.is_empty() {
            return true;
        }
        if self.0.contains(&nonce) {
            return false;
        }
        if self.0.len() == MAX_NONCES {
            self.0.pop_front();
        }
        self.0.push_back(nonce);
        true
    }
}

impl Room {
    fn named(&self, identity: &Identity) -> Result<&Participant, ControlError> {
        let key = self.by_identity.get(identity).ok_or(ControlError::NoParticipant)?;
        self.participants.get(key).ok_or(ControlError::NoParticipant)
    }

    /// Everybody, hidden ones included.
    pub(crate) fn participant_infos(&self) -> Vec<proto::ParticipantInfo> {
        self.participants.values().map(|participant| self.info(participant)).collect()
    }

    pub(crate) fn participant_info(
        &self,
        identity: &Identity,
    ) -> Result<proto::ParticipantInfo, ControlError> {
        self.named(identity).map(|participant| self.info(participant))
    }

    /// Mutes a track of `identity`, or unmutes it where that is allowed; its client is told.
    pub(crate) fn mute_published(
        &mut self,
        identity: &Identity,
        track: &TrackSid,
        muted: bool,
        now: Now,
    ) -> Result<proto::TrackInfo, ControlError> {
        let publisher = self.named(identity)?.key;
        if self.own_track(publisher, track.as_str()).is_none() {
            return Err(ControlError::NoTrack);
        }
        if !muted && !self.settings.remote_unmute {
            return Err(ControlError::RemoteUnmute);
        }
        self.force_mute(track, muted, now);
        self.own_track(publisher, track.as_str()).map(|track| track.info.clone()).ok_or(ControlError::NoTrack)
    }

    /// Changes name, metadata, attributes and permission, as far as they are given.
    pub(crate) fn update_participant(
        &mut self,
        identity: &Identity,
        update: ParticipantUpdate,
        now: Now,
    ) -> Result<proto::ParticipantInfo, ControlError> {
        let limits = &self.settings.limits;
        let participant = self.named(identity)?;
        let key = participant.key;
        let attributes = merged(&participant.attributes, &update.attributes);
        if update.metadata.len() > limits.metadata_bytes || bytes_of(&attributes) > limits.metadata_bytes {
            return Err(ControlError::TooLarge("metadata or attributes exceed the size limit"));
        }
        if update.name.len() > limits.name_bytes {
            return Err(ControlError::TooLarge("the name exceeds the length limit"));
        }
        let described =
            !(update.metadata.is_empty() && update.name.is_empty() && update.attributes.is_empty());
        if let Some(participant) = self.participants.get_mut(&key) {
            if !update.metadata.is_empty() {
                participant.metadata = update.metadata;
            }
            if !update.name.is_empty() {
                participant.name = update.name;
            }
            participant.attributes = attributes;
        }
        match update.permission {
            Some(permission) => drop(self.set_permission(identity, permission, now)),
            None if described => {
                self.announce(key);
                self.refresh_token(key, now);
            }
            None => {}
        }
        self.participant_info(identity)
    }

    /// Subscribes `identity` to tracks, or takes them from it.
    pub(crate) fn subscribe_for(
        &mut self,
        identity: &Identity,
        update: proto::UpdateSubscription,
    ) -> Result<(), ControlError> {
        let key = self.named(identity)?.key;
        self.update_subscription(key, update);
        Ok(())
    }

    /// Sends a message of the server itself.
    pub(crate) fn send_message(&mut self, message: MessageOfServer) -> Result<(), ControlError> {
        if message.payload.len() > self.settings.limits.data_message_bytes {
            return Err(ControlError::TooLarge("the data is larger than a data message may be"));
        }
        let MessageOfServer { payload, topic, lossy, identities, sids, nonce } = message;
        let (kind, proto_kind) = match lossy {
            true => (DataKind::Lossy, Kind::Lossy),
            false => (DataKind::Reliable, Kind::Reliable),
        };
        let everybody = identities.is_empty() && sids.is_empty();
        let to: Vec<ParticipantKey> = self
            .participants
            .values()
            .filter(|receiver| receiver.is_active())
            .filter(|receiver| {
                everybody || identities.contains(&receiver.identity.0) || sids.contains(&receiver.sid.0)
            })
            .map(|receiver| receiver.key)
            .collect();
        let fresh = nonce.clone();
        #[allow(deprecated)]
        let packet = proto::DataPacket {
            kind: proto_kind as i32,
            destination_identities: identities.clone(),
            value: Some(Value::User(proto::UserPacket {
                payload: payload.to_vec(),
                topic,
                destination_sids: sids,
                destination_identities: identities,
                nonce,
                ..Default::default()
            })),
            ..Default::default()
        };
        let data = Bytes::from(packet.encode_to_vec());
        if data.len() > self.settings.limits.data_message_bytes {
            return Err(ControlError::TooLarge("the data, with topic and receivers, is too large"));
        }
        if self.nonces.insert(fresh) && !to.is_empty() {
            self.media(MediaCommand::SendData { to, kind, data });
        }
        Ok(())
    }

    /// The claims with which `identity` would go on in another room.
    pub(crate) fn claims_to_move(&self, identity: &Identity) -> Result<Claims, ControlError> {
        let participant = self.named(identity)?;
        if participant.session.is_none() {
            return Err(ControlError::NotConnected);
        }
        Ok(participant.present_claims())
    }

    /// What a newcomer would be told of those who are here.
    pub(crate) fn visible_infos(&self) -> Vec<proto::ParticipantInfo> {
        let visible = self.participants.values().filter(|participant| !participant.hidden());
        visible.map(|participant| self.info(participant)).collect()
    }

    /// Sends somebody to another room: its client gets the token for it and joins there by itself.
    pub(crate) fn move_away(
        &mut self,
        identity: &Identity,
        destination: Destination,
        now: Now,
    ) -> Result<(), ControlError> {
        let participant = self.named(identity)?;
        if participant.session.is_none() {
            return Err(ControlError::NotConnected);
        }
        let key = participant.key;
        let mut own = self.info(participant);
        own.tracks.clear();
        own.state = State::Joining as i32;
        let Destination { room, token, others } = destination;
        // Some SDKs take the token from here, some from the next message.
        self.send(key, Message::RefreshToken(token.clone()));
        self.send(
            key,
            Message::RoomMoved(proto::RoomMovedResponse {
                room: Some(room),
                token,
                participant: Some(own),
                other_participants: others,
            }),
        );
        // The other room may be carried by another worker, so the client connects anew.
        self.remove(key, LeaveReason::Migration, Some(Action::Reconnect), now);
        Ok(())
    }
}

/// What [`Room::update_participant`] changes; empty = unchanged.
#[derive(Clone, Debug, Default)]
pub struct ParticipantUpdate {
    pub name: String,
    pub metadata: String,
    /// Those named are set; an empty value deletes.
    pub attributes: HashMap<String, String>,
    pub permission: Option<proto::ParticipantPermission>,
}

/// Where somebody goes who is moved.
#[derive(Clone, Debug)]
pub struct Destination {
    pub room: proto::Room,
    pub token: String,
    pub others: Vec<proto::ParticipantInfo>,
}

/// `present` with `changes`; an empty value deletes.
pub(super) fn merged(
    present: &HashMap<String, String>,
    changes: &HashMap<String, String>,
) -> HashMap<String, String> {
    let mut attributes = present.clone();
    for (name, value) in changes {
        if value.is_empty() {
            attributes.remove(name);
        } else {
            attributes.insert(name.clone(), value.clone());
        }
    }
    attributes
}

pub(super) fn bytes_of(attributes: &HashMap<String, String>) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
}
