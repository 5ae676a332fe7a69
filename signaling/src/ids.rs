//! Names and identifiers of the protocol, so that a swap fails to compile.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parley_media_rtc::{ParticipantKey, TrackKey};
use rand::{Rng, SeedableRng, rngs::StdRng};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Name of a room, chosen by the control plane.
    RoomName
);
text_id!(
    /// `RM_…`, one for each time the room exists.
    RoomSid
);
text_id!(
    /// Who somebody is in a room: the `sub` of the token. Unique in a room at any time.
    Identity
);
text_id!(
    /// `PA_…`, one for each session of a participant; a resume keeps it.
    ParticipantSid
);
text_id!(
    /// `TR_…`, a published track.
    TrackSid
);

/// One WebSocket of one participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Characters of the random part of a sid.
const SID_LENGTH: usize = 12;
const SID_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Makes identifiers: keys are unique in the process, sids are random.
#[derive(Debug)]
pub struct Ids {
    rng: StdRng,
    next_key: Arc<AtomicU64>,
}

impl Ids {
    /// `next_key` is shared by all rooms of a process.
    pub fn new(seed: u64, next_key: Arc<AtomicU64>) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), next_key }
    }

    pub(crate) fn participant(&mut self) -> (ParticipantKey, ParticipantSid) {
        (ParticipantKey(self.key()), ParticipantSid(self.sid("PA_")))
    }

    pub(crate) fn track(&mut self) -> (TrackKey, TrackSid) {
        (TrackKey(self.key()), TrackSid(self.sid("TR_")))
    }

    pub(crate) fn room(&mut self) -> RoomSid {
        RoomSid(self.sid("RM_"))
    }

    pub(crate) fn data_track(&mut self) -> String {
        self.sid("DTR_")
    }

    pub(crate) fn webhook_event(&mut self) -> String {
        self.sid("EV_")
    }

    pub(crate) fn rpc(&mut self) -> String {
        self.sid("RPC_")
    }

    fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    fn sid(&mut self, prefix: &str) -> String {
        let mut sid = String::with_capacity(prefix.len() + SID_LENGTH);
        sid.push_str(prefix);
        for _ in 0..SID_LENGTH {
            let index = self.rng.random_range(0..SID_ALPHABET.len());
            sid.push(char::from(SID_ALPHABET[index]));
        }
        sid
    }
}
