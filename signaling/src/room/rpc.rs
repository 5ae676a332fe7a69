//! Remote procedure calls that the server API makes to a participant.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use livekit_protocol as proto;
use parley_media_rtc::{DataKind, ParticipantKey};
use prost::Message as _;
use proto::{
    data_packet::{Kind, Value},
    rpc_response,
};

use super::{ControlError, MediaCommand, Now, Output, Room};
use crate::ids::Identity;

/// Calls under way in a room at once.
const MAX_CALLS: usize = 256;
/// Bytes of a payload either way, as SDKs allow.
pub(crate) const MAX_PAYLOAD: usize = 15 * 1024;
/// How long the participant has to say that the request has arrived.
const ACK_TIMEOUT: Duration = Duration::from_secs(7);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// The version of the call's packets.
const RPC_VERSION: u32 = 1;

/// A call, as its shell knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpcCall(pub u64);

/// Why a call failed: the SDKs' code and text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RpcError {code}: {message}")]
pub struct RpcFault {
    pub code: u32,
    pub message: String,
}

impl RpcFault {
    pub const CONNECTION_TIMEOUT: u32 = 1501;
    pub const RESPONSE_TIMEOUT: u32 = 1502;
    pub const RECIPIENT_DISCONNECTED: u32 = 1503;
    pub const SEND_FAILED: u32 = 1505;
    pub const UNSUPPORTED_METHOD: u32 = 1400;
    pub const PAYLOAD_TOO_LARGE: u32 = 1402;

    pub(crate) fn new(code: u32, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }

    pub(crate) fn disconnected() -> Self {
        Self::new(Self::RECIPIENT_DISCONNECTED, "Recipient disconnected")
    }
}

#[derive(Debug)]
struct Waiting {
    call: RpcCall,
    participant: ParticipantKey,
    acknowledged: bool,
    ack_by: Instant,
    answer_by: Instant,
}

/// Calls whose answer is not there yet, by the id in their packets.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<String, Waiting>);

impl Room {
    /// Calls a method of `identity`. The answer comes as [`Output::RpcDone`].
    pub(crate) fn perform_rpc(
        &mut self,
        call: RpcCall,
        identity: &Identity,
        request: &proto::PerformRpcRequest,
        now: Now,
    ) -> Result<(), ControlError> {
        let key = *self.by_identity.get(identity).ok_or(ControlError::NoParticipant)?;
        let connected = self.participants.get(&key).is_some_and(super::Participant::is_active);
        let fault = if request.payload.len() > MAX_PAYLOAD {
            Some(RpcFault::new(RpcFault::PAYLOAD_TOO_LARGE, "Request payload too large"))
        } else if !connected {
            Some(RpcFault::disconnected())
        } else if self.rpc.0.len() >= MAX_CALLS {
            Some(RpcFault::new(RpcFault::SEND_FAILED, "Failed to send: too many calls under way"))
        } else {
            None
        };
        if let Some(fault) = fault {
            self.outputs.push_back(Output::RpcDone { call, result: Err(fault) });
            return Ok(());
        }
        let timeout = match request.response_timeout_ms {
            0 => DEFAULT_TIMEOUT,
            ms => Duration::from_millis(u64::from(ms)).min(MAX_TIMEOUT),
        };
        let id = self.ids.rpc();
        let waiting = Waiting {
            call,
            participant: key,
            acknowledged: false,
            ack_by: now.mono + ACK_TIMEOUT,
            answer_by: now.mono + timeout,
        };
        self.rpc.0.insert(id.clone(), waiting);
        #[allow(deprecated)]
        let packet = proto::DataPacket {
            kind: Kind::Reliable as i32,
            // The receiver answers to this name; only the server bears it.
            participant_identity: id.clone(),
            value: Some(Value::RpcRequest(proto::RpcRequest {
                id,
                method: request.method.clone(),
                payload: request.payload.clone(),
                response_timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
                version: RPC_VERSION,
                ..Default::default()
            })),
            ..Default::default()
        };
        let data = Bytes::from(packet.encode_to_vec());
        self.media(MediaCommand::SendData { to: vec![key], kind: DataKind::Reliable, data });
        Ok(())
    }

    /// Takes a packet that answers a call of the server; false = it is for somebody else.
    pub(super) fn rpc_answer(&mut self, from: ParticipantKey, value: Option<&Value>) -> bool {
        let id = match value {
            Some(Value::RpcAck(ack)) => &ack.request_id,
            Some(Value::RpcResponse(response)) => &response.request_id,
            _ => return false,
        };
        let Some(waiting) = self.rpc.0.get_mut(id).filter(|waiting| waiting.participant == from) else {
            return false;
        };
        let Some(Value::RpcResponse(response)) = value else {
            waiting.acknowledged = true;
            return true;
        };
        let result = match &response.value {
            Some(rpc_response::Value::Payload(payload)) => Ok(payload.clone()),
            Some(rpc_response::Value::Error(error)) => {
                let text = match error.data.is_empty() {
                    true => error.message.clone(),
                    false => format!("{}: {}", error.message, error.data),
                };
                Err(RpcFault { code: error.code, message: text })
            }
            _ => Ok(String::new()),
        };
        if let Some(waiting) = self.rpc.0.remove(id) {
            self.outputs.push_back(Output::RpcDone { call: waiting.call, result });
        }
        true
    }

    pub(super) fn expire_rpc(&mut self, now: Now) {
        let late = |waiting: &Waiting| {
            if !waiting.acknowledged && now.mono >= waiting.ack_by {
                Some(RpcFault::new(RpcFault::CONNECTION_TIMEOUT, "Connection timeout"))
            } else if now.mono >= waiting.answer_by {
                Some(RpcFault::new(RpcFault::RESPONSE_TIMEOUT, "Response timeout"))
            } else {
                None
            }
        };
        self.fail_rpc(late);
    }

    /// The participant has left and will not answer.
    pub(super) fn forget_rpc(&mut self, key: ParticipantKey) {
        self.fail_rpc(|waiting| (waiting.participant == key).then(RpcFault::disconnected));
    }

    fn fail_rpc(&mut self, fault: impl Fn(&Waiting) -> Option<RpcFault>) {
        let outputs = &mut self.outputs;
        self.rpc.0.retain(|_, waiting| match fault(waiting) {
            Some(fault) => {
                outputs.push_back(Output::RpcDone { call: waiting.call, result: Err(fault) });
                false
            }
            None => true,
        });
    }
}
