//! Data tracks: named streams of frames on the `_data_track` channel. A packet
//! carries a handle of 16 bits, the publisher's on the way in; on the way out the
//! room's, which subscribers are told beforehand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::{Bytes, BytesMut};
use livekit_protocol as proto;
use parley_media_rtc::{DataKind, ParticipantKey};
use proto::{
    data_track_subscriber_handles::PublishedDataTrack, request_response::Request, signal_response::Message,
};

use super::{MediaCommand, Participant, Room, publish::Reason};

const MAX_NAME: usize = 256;
const MAX_DATA_TRACKS: usize = 64;
const MAX_UPDATES: usize = 256;
/// Version, flags, handle, sequence, frame number, timestamp.
const HEADER_BYTES: usize = 12;
const HANDLE: std::ops::Range<usize> = 2..4;

#[derive(Debug)]
struct DataTrack {
    publisher: ParticipantKey,
    pub_handle: u16,
    handle: u16,
    subscribers: BTreeSet<ParticipantKey>,
}

/// All data tracks of a room, by sid and by the publisher's handle.
#[derive(Debug, Default)]
pub(super) struct Handles {
    tracks: BTreeMap<String, DataTrack>,
    by_publisher: HashMap<(ParticipantKey, u16), String>,
    last: u16,
}

impl Handles {
    fn next(&mut self) -> Option<u16> {
        let used: BTreeSet<u16> = self.tracks.values().map(|track| track.handle).collect();
        for _ in 0..u16::MAX {
            self.last = self.last.wrapping_add(1).max(1);
            if !used.contains(&self.last) {
                return Some(self.last);
            }
        }
        None
    }
}

impl Room {
    pub(super) fn publish_data_track(
        &mut self,
        key: ParticipantKey,
        request: proto::PublishDataTrackRequest,
    ) {
        let Some(participant) = self.participants.get(&key) else { return };
        let own = &participant.data_tracks;
        let handle = u16::try_from(request.pub_handle).ok().filter(|handle| *handle != 0);
        let refusal = if !participant.permission.can_publish_data {
            Some((Reason::NotAllowed, "the access token does not allow to publish data"))
        } else if handle.is_none() {
            Some((Reason::InvalidHandle, "the handle must be from 1 to 65535"))
        } else if request.name.is_empty() || request.name.len() > MAX_NAME {
            Some((Reason::InvalidName, "the name must have 1 to 256 bytes"))
        } else if own.iter().any(|track| track.pub_handle == request.pub_handle) {
            Some((Reason::DuplicateHandle, "a data track with this handle exists"))
        } else if own.iter().any(|track| track.name == request.name) {
            Some((Reason::DuplicateName, "a data track with this name exists"))
        } else if own.len() >= MAX_DATA_TRACKS {
            Some((Reason::LimitExceeded, "too many data tracks"))
        } else {
            None
        };
        let number = handle.and_then(|handle| self.data_handles.next().map(|number| (handle, number)));
        let (Some((pub_handle, number)), None) = (number, refusal) else {
            let (reason, text) =
                refusal.unwrap_or((Reason::LimitExceeded, "too many data tracks in the room"));
            self.respond(key, 0, reason, text, Some(Request::PublishDataTrack(request)));
            return;
        };
        let info = proto::DataTrackInfo {
            pub_handle: request.pub_handle,
            sid: self.ids.data_track(),
            name: request.name,
            encryption: request.encryption,
            frame_encoding: request.frame_encoding,
            schema: request.schema,
        };
        let track = DataTrack { publisher: key, pub_handle, handle: number, subscribers: BTreeSet::new() };
        self.data_handles.tracks.insert(info.sid.clone(), track);
        self.data_handles.by_publisher.insert((key, pub_handle), info.sid.clone());
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.data_tracks.push(info.clone());
        }
        self.send(
            key,
            Message::PublishDataTrackResponse(proto::PublishDataTrackResponse { info: Some(info) }),
        );
        self.announce(key);
    }

    pub(super) fn unpublish_data_track(
        &mut self,
        key: ParticipantKey,
        request: proto::UnpublishDataTrackRequest,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        let position =
            participant.data_tracks.iter().position(|track| track.pub_handle == request.pub_handle);
        let Some(position) = position else {
            self.respond(
                key,
                0,
                Reason::NotFound,
                "no such data track",
                Some(Request::UnpublishDataTrack(request)),
            );
            return;
        };
        let info = participant.data_tracks.remove(position);
        self.forget_data_track(&info.sid);
        let response = proto::UnpublishDataTrackResponse { info: Some(info) };
        self.send(key, Message::UnpublishDataTrackResponse(response));
        self.announce(key);
    }

    pub(super) fn update_data_subscription(
        &mut self,
        key: ParticipantKey,
        update: &proto::UpdateDataSubscription,
    ) {
        let may = self.participants.get(&key).is_some_and(|participant| participant.permission.can_subscribe);
        for change in update.updates.iter().take(MAX_UPDATES) {
            let Some(track) = self.data_handles.tracks.get_mut(&change.track_sid) else { continue };
            if change.subscribe && may && track.publisher != key {
                track.subscribers.insert(key);
            } else {
                track.subscribers.remove(&key);
            }
        }
        self.tell_data_handles(key);
    }

    pub(super) fn tell_data_handles(&mut self, key: ParticipantKey) {
        let mut sub_handles = HashMap::new();
        for (sid, track) in &self.data_handles.tracks {
            let Some(publisher) = self.participants.get(&track.publisher) else { continue };
            if track.subscribers.contains(&key) {
                let published = PublishedDataTrack {
                    publisher_identity: publisher.identity.0.clone(),
                    publisher_sid: publisher.sid.0.clone(),
                    track_sid: sid.clone(),
                };
                sub_handles.insert(u32::from(track.handle), published);
            }
        }
        let handles = proto::DataTrackSubscriberHandles { sub_handles };
        self.send(key, Message::DataTrackSubscriberHandles(handles));
    }

    /// Forwards one packet, with the room's handle in the place of the publisher's.
    pub(super) fn data_track_packet(&mut self, from: ParticipantKey, packet: &Bytes) {
        if packet.len() < HEADER_BYTES {
            return;
        }
        let pub_handle = u16::from_be_bytes([packet[HANDLE.start], packet[HANDLE.start + 1]]);
        let handles = &self.data_handles;
        let sid = handles.by_publisher.get(&(from, pub_handle));
        let Some(track) = sid.and_then(|sid| handles.tracks.get(sid)) else { return };
        let to: Vec<ParticipantKey> = track.subscribers.iter().copied().collect();
        if to.is_empty() {
            return;
        }
        let mut data = BytesMut::from(packet.as_ref());
        data[HANDLE].copy_from_slice(&track.handle.to_be_bytes());
        self.media(MediaCommand::SendData { to, kind: DataKind::DataTrack, data: data.freeze() });
    }

    /// A participant is gone: its data tracks and subscriptions too.
    /// Ends all data tracks of `key`, which is told so.
    pub(super) fn unpublish_data_tracks(&mut self, key: ParticipantKey) {
        let Some(participant) = self.participants.get(&key) else { return };
        for track in participant.data_tracks.clone() {
            let request = proto::UnpublishDataTrackRequest { pub_handle: track.pub_handle };
            self.unpublish_data_track(key, request);
        }
    }

    pub(super) fn forget_data_tracks(&mut self, participant: &Participant) {
        for info in &participant.data_tracks {
            self.forget_data_track(&info.sid);
        }
        self.unsubscribe_data_tracks(participant.key);
    }

    pub(super) fn unsubscribe_data_tracks(&mut self, key: ParticipantKey) {
        for track in self.data_handles.tracks.values_mut() {
            track.subscribers.remove(&key);
        }
    }

    fn forget_data_track(&mut self, sid: &str) {
        if let Some(track) = self.data_handles.tracks.remove(sid) {
            self.data_handles.by_publisher.remove(&(track.publisher, track.pub_handle));
        }
    }
}
