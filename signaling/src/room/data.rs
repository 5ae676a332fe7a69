//! Data packets: who may send, who receives, what is kept for a resume.

use std::collections::BTreeMap;

use bytes::Bytes;
use livekit_protocol as proto;
use parley_media_rtc::{DataKind, ParticipantKey};
use prost::Message as _;
use proto::data_packet::{Kind, Value};

use super::{MediaCommand, Room, history::Sent};
use crate::ids::Identity;

/// Receivers that one packet may name.
const MAX_DESTINATIONS: usize = 1_024;

impl Room {
    /// A message of a participant's data channel.
    pub(crate) fn data(&mut self, from: ParticipantKey, kind: DataKind, data: &Bytes) {
        let Some(participant) = self.participants.get(&from) else { return };
        if !participant.permission.can_publish_data {
            return;
        }
        if kind == DataKind::DataTrack {
            self.data_track_packet(from, data);
            return;
        }
        let Ok(packet) = proto::DataPacket::decode(data.clone()) else { return };
        self.packet(from, kind, packet);
    }

    fn packet(&mut self, from: ParticipantKey, kind: DataKind, mut packet: proto::DataPacket) {
        let Some(sender) = self.participants.get_mut(&from) else { return };
        if !may_forward(packet.value.as_ref(), &sender.identity, sender.claims.kind()) {
            return;
        }
        if kind == DataKind::Reliable && packet.sequence != 0 {
            // Sent again after a resume although it had arrived.
            if packet.sequence <= sender.last_reliable {
                return;
            }
            sender.last_reliable = packet.sequence;
        }
        if self.rpc_answer(from, packet.value.as_ref()) {
            return;
        }
        let Some(sender) = self.participants.get_mut(&from) else { return };
        stamp(&mut packet, kind, sender.hidden(), &sender.identity, sender.sid.as_str());
        let metrics = matches!(packet.value, Some(Value::Metrics(_)));
        let destinations: Vec<Identity> =
            packet.destination_identities.iter().take(MAX_DESTINATIONS).cloned().map(Identity).collect();
        let sequence = packet.sequence;
        let data = Bytes::from(packet.encode_to_vec());
        if kind == DataKind::Reliable && sequence != 0 {
            sender.history.push(Sent { sequence, destinations: destinations.clone(), data: data.clone() });
        }
        let to: Vec<ParticipantKey> = self
            .participants
            .values()
            .filter(|receiver| receiver.is_active())
            .filter(|receiver| !metrics || receiver.permission.can_subscribe_metrics)
            .filter(|receiver| {
                if destinations.is_empty() {
                    receiver.key != from
                } else {
                    destinations.contains(&receiver.identity)
                }
            })
            .map(|receiver| receiver.key)
            .collect();
        if !to.is_empty() {
            self.media(MediaCommand::SendData { to, kind, data });
        }
    }

    /// Sends again what a resumed receiver has missed of each publisher; once for each resume,
    /// and of each publisher once.
    pub(super) fn replay_data(&mut self, to: ParticipantKey, states: &[proto::DataChannelReceiveState]) {
        let Some(receiver) = self.participants.get_mut(&to) else { return };
        if states.is_empty() || !std::mem::take(&mut receiver.may_replay) {
            return;
        }
        let identity = receiver.identity.clone();
        let states: BTreeMap<&str, u32> = states
            .iter()
            .take(MAX_DESTINATIONS)
            .map(|state| (state.publisher_sid.as_str(), state.last_seq))
            .collect();
        let mut missed = Vec::new();
        for publisher in self.participants.values().filter(|other| other.key != to) {
            let Some(last) = states.get(publisher.sid.as_str()) else { continue };
            missed.extend(publisher.history.after(*last, &identity).map(|sent| sent.data.clone()));
        }
        for data in missed {
            self.media(MediaCommand::SendData { to: vec![to], kind: DataKind::Reliable, data });
        }
    }
}

/// Clients may not speak for the server or for others.
fn may_forward(value: Option<&Value>, sender: &Identity, kind: proto::participant_info::Kind) -> bool {
    match value {
        None => false,
        #[allow(deprecated)]
        Some(Value::Speaker(_)) => false,
        Some(Value::Transcription(transcription)) => {
            kind == proto::participant_info::Kind::Agent
                || transcription.transcribed_participant_identity == sender.as_str()
        }
        Some(_) => true,
    }
}

/// Writes who sent the packet, whatever it claims.
#[allow(deprecated)]
fn stamp(packet: &mut proto::DataPacket, kind: DataKind, hidden: bool, identity: &Identity, sid: &str) {
    let (identity, sid) = if hidden { ("", "") } else { (identity.as_str(), sid) };
    packet.participant_identity = identity.to_owned();
    packet.participant_sid = sid.to_owned();
    packet.kind = match kind {
        DataKind::Reliable => Kind::Reliable,
        DataKind::Lossy | DataKind::DataTrack => Kind::Lossy,
    } as i32;
    if let Some(Value::User(user)) = packet.value.as_mut() {
        user.participant_identity = identity.to_owned();
        user.participant_sid = sid.to_owned();
        // Old clients name the receivers inside.
        if packet.destination_identities.is_empty() {
            packet.destination_identities.clone_from(&user.destination_identities);
        } else {
            user.destination_identities.clone_from(&packet.destination_identities);
        }
    }
}
