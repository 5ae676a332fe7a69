//! The calls, one by one: grants first, then the arguments, then the room.

use bytes::Bytes;
use futures_util::future::join_all;
use livekit_protocol as proto;

use super::{
    Caller, ROOM_LIMIT,
    twirp::{Code, Fault},
};
use crate::{
    actor::RoomMessage,
    config::RoomOptions,
    ids::{Identity, RoomName, TrackSid},
    room::{ControlError, MessageOfServer, Now, ParticipantUpdate, Room, RpcFault},
    service::{CommandError, Signaling},
    token::seconds,
};

/// Bytes of a nonce: a UUID.
const NONCE: usize = 16;

pub(super) struct Api<'a> {
    pub(super) signaling: &'a Signaling,
    pub(super) caller: &'a Caller,
}

impl Api<'_> {
    /// Runs `work` in a room that exists, and waits for it at most [`ROOM_LIMIT`].
    async fn within<T: Send + 'static>(
        &self,
        room: &str,
        work: impl FnOnce(&mut Room, Now) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        within_limit(self.signaling.call(room, work)).await
    }

    fn check_metadata(&self, metadata: &str) -> Result<(), Fault> {
        let max = self.signaling.inner.config.limits.metadata_bytes;
        if metadata.len() > max {
            return Err(invalid(format!("metadata size exceeds limits: at most {max} bytes")));
        }
        Ok(())
    }

    fn check_room_name(&self, name: &str) -> Result<(), Fault> {
        let max = self.signaling.inner.config.limits.identifier_bytes;
        match name.len() {
            0 => Err(invalid("no room name")),
            length if length > max => {
                Err(invalid(format!("room name length exceeds limits: at most {max} bytes")))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn create_room(&self, request: proto::CreateRoomRequest) -> Result<proto::Room, Fault> {
        self.caller.may_create()?;
        self.check_room_name(&request.name)?;
        self.check_metadata(&request.metadata)?;
        if request.egress.is_some() {
            return Err(Fault::new(Code::Unimplemented, "this server has no automatic egress"));
        }
        let options = RoomOptions {
            max_participants: request.max_participants,
            empty_timeout: seconds(request.empty_timeout),
            departure_timeout: seconds(request.departure_timeout),
            metadata: request.metadata,
        };
        within_limit(self.signaling.create_room(&request.name, options)).await
    }

    pub(super) async fn list_rooms(
        &self,
        request: proto::ListRoomsRequest,
    ) -> Result<proto::ListRoomsResponse, Fault> {
        self.caller.may_list()?;
        let mut names = self.signaling.rooms().await;
        if !request.names.is_empty() {
            names.retain(|name| request.names.contains(&name.0));
        }
        names.sort();
        let asked = names.iter().map(|name| self.within(name.as_str(), |room, _| room.room_info()));
        let mut rooms = Vec::with_capacity(names.len());
        for room in join_all(asked).await {
            match room {
                Ok(room) => rooms.push(room),
                // It has closed meanwhile.
                Err(fault) if fault.code == Code::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(proto::ListRoomsResponse { rooms })
    }

    pub(super) async fn delete_room(
        &self,
        request: proto::DeleteRoomRequest,
    ) -> Result<proto::DeleteRoomResponse, Fault> {
        self.caller.may_create()?;
        within_limit(self.signaling.close_room(&request.room)).await?;
        Ok(proto::DeleteRoomResponse {})
    }

    pub(super) async fn list_participants(
        &self,
        request: proto::ListParticipantsRequest,
    ) -> Result<proto::ListParticipantsResponse, Fault> {
        self.caller.administers(&request.room)?;
        let participants = self.within(&request.room, |room, _| room.participant_infos()).await?;
        Ok(proto::ListParticipantsResponse { participants })
    }

    pub(super) async fn participant(
        &self,
        request: proto::RoomParticipantIdentity,
    ) -> Result<proto::ParticipantInfo, Fault> {
        self.caller.administers(&request.room)?;
        let identity = Identity(request.identity);
        Ok(self.within(&request.room, move |room, _| room.participant_info(&identity)).await??)
    }

    /// Tokens of the identity are dead from now on, or up to the moment that the caller names.
    pub(super) async fn remove_participant(
        &self,
        request: proto::RoomParticipantIdentity,
    ) -> Result<proto::RemoveParticipantResponse, Fault> {
        self.caller.administers(&request.room)?;
        let (room, identity) = (&request.room, &request.identity);
        if let Ok(before_s @ 1..) = u64::try_from(request.revoke_token_ts) {
            // "Whose nbf is before this value": that of whole seconds.
            let until_ms = before_s.saturating_mul(1_000).saturating_sub(1);
            self.signaling.refuse_tokens(room, identity, until_ms).await;
        }
        let named = Identity(identity.clone());
        self.within(room, move |room, _| room.participant_info(&named)).await??;
        match within_limit(self.signaling.remove_participant(room, identity)).await? {
            true => Ok(proto::RemoveParticipantResponse {}),
            false => Err(ControlError::NoParticipant.into()),
        }
    }

    pub(super) async fn mute_published_track(
        &self,
        request: proto::MuteRoomTrackRequest,
    ) -> Result<proto::MuteRoomTrackResponse, Fault> {
        self.caller.administers(&request.room)?;
        let (identity, track) = (Identity(request.identity), TrackSid(request.track_sid));
        let mute = move |room: &mut Room, now| room.mute_published(&identity, &track, request.muted, now);
        let track = self.within(&request.room, mute).await??;
        Ok(proto::MuteRoomTrackResponse { track: Some(track) })
    }

    pub(super) async fn update_participant(
        &self,
        request: proto::UpdateParticipantRequest,
    ) -> Result<proto::ParticipantInfo, Fault> {
        self.caller.administers(&request.room)?;
        let identity = Identity(request.identity);
        let update = ParticipantUpdate {
            name: request.name,
            metadata: request.metadata,
            attributes: request.attributes,
            permission: request.permission,
        };
        let change = move |room: &mut Room, now| room.update_participant(&identity, update, now);
        Ok(self.within(&request.room, change).await??)
    }

    pub(super) async fn update_subscriptions(
        &self,
        request: proto::UpdateSubscriptionsRequest,
    ) -> Result<proto::UpdateSubscriptionsResponse, Fault> {
        self.caller.administers(&request.room)?;
        let identity = Identity(request.identity);
        let update = proto::UpdateSubscription {
            track_sids: request.track_sids,
            subscribe: request.subscribe,
            participant_tracks: request.participant_tracks,
        };
        self.within(&request.room, move |room, _| room.subscribe_for(&identity, update)).await??;
        Ok(proto::UpdateSubscriptionsResponse {})
    }

    pub(super) async fn send_data(
        &self,
        request: proto::SendDataRequest,
    ) -> Result<proto::SendDataResponse, Fault> {
        self.caller.administers(&request.room)?;
        if !matches!(request.nonce.len(), 0 | NONCE) {
            return Err(invalid("the nonce should have 16 bytes or not be there"));
        }
        let lossy = request.kind() == proto::data_packet::Kind::Lossy;
        #[allow(deprecated)]
        let message = MessageOfServer {
            payload: Bytes::from(request.data),
            topic: request.topic,
            lossy,
            identities: request.destination_identities,
            sids: request.destination_sids,
            nonce: request.nonce,
        };
        self.within(&request.room, move |room, _| room.send_message(message)).await??;
        Ok(proto::SendDataResponse {})
    }

    pub(super) async fn update_room_metadata(
        &self,
        request: proto::UpdateRoomMetadataRequest,
    ) -> Result<proto::Room, Fault> {
        self.caller.administers(&request.room)?;
        self.check_metadata(&request.metadata)?;
        let change = move |room: &mut Room, _| {
            room.set_metadata(request.metadata);
            room.room_info()
        };
        self.within(&request.room, change).await
    }

    pub(super) async fn move_participant(
        &self,
        request: proto::MoveParticipantRequest,
    ) -> Result<proto::MoveParticipantResponse, Fault> {
        self.caller.may_move(&request.room, &request.destination_room)?;
        self.check_room_name(&request.destination_room)?;
        if request.room == request.destination_room {
            return Err(invalid("destination room cannot be the same as source room"));
        }
        let (identity, destination) = (Identity(request.identity), RoomName(request.destination_room));
        let moved = self.signaling.move_participant(&request.room, &identity, &destination);
        match tokio::time::timeout(ROOM_LIMIT, moved).await {
            Ok(moved) => moved??,
            Err(_) => return Err(busy()),
        }
        Ok(proto::MoveParticipantResponse {})
    }

    /// One participant in several rooms at once is a matter of LiveKit's cloud.
    pub(super) fn forward_participant(
        &self,
        request: proto::ForwardParticipantRequest,
    ) -> Result<proto::ForwardParticipantResponse, Fault> {
        self.caller.may_move(&request.room, &request.destination_room)?;
        Err(Fault::new(Code::Unimplemented, "ForwardParticipant is not supported; MoveParticipant is"))
    }

    pub(super) async fn perform_rpc(
        &self,
        request: proto::PerformRpcRequest,
    ) -> Result<proto::PerformRpcResponse, Fault> {
        self.caller.administers(&request.room)?;
        if request.destination_identity.is_empty() {
            return Err(invalid("destination identity is required"));
        }
        let room = request.room.clone();
        let message = |reply| RoomMessage::PerformRpc { request: Box::new(request), reply };
        // Bounded by the room's own timeouts. A room that ends meanwhile answers nothing.
        let known = self.within(&room, |_, _| ()).await;
        match self.signaling.ask(&room, message).await {
            Ok(answer) => Ok(proto::PerformRpcResponse { payload: answer?? }),
            Err(_) if known.is_ok() => Err(RpcFault::disconnected().into()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn within_limit<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, Fault> {
    match tokio::time::timeout(ROOM_LIMIT, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(busy()),
    }
}

fn busy() -> Fault {
    Fault::new(Code::DeadlineExceeded, "the room did not answer in time")
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(Code::InvalidArgument, message)
}
