//! Over which path a peer's media goes out, and how it moves when the client's address changes.
//!
//! The server is an ICE-lite agent: the client checks and nominates (RFC 8445, section 7.3.1.5), the
//! server follows. The state machine under it keeps the pair of the highest priority until that has
//! been silent for 15 s, which is a long time without a picture: behind an address translation
//! that was reset the client goes on under the same credentials from another port, with the same
//! priority, and after a blocked UDP path it goes on over TCP, with a lower one. So the path is
//! chosen here, by the checks that were answered, which are those with the right password:
//!
//! | the check on another path | as high or higher priority | lower priority |
//! |---|---|---|
//! | nominates | moves at once | when the present path was not nominated for [`NOMINATION_REST`] |
//! | does not nominate | when the present path was not checked for [`CHECK_REST`] | for [`CHECK_REST_LOWER`] |
//!
//! The first column serves clients that nominate several pairs and mean the highest (RFC 5245,
//! section 8.1.1.2); the second row serves those that nominate once and then only keep consent fresh
//! (RFC 7675). A captured check sent again from elsewhere has a transaction that is known: it moves nothing.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::net::{Protocol, Transmit};

const NOMINATION_REST: Duration = Duration::from_secs(1);
/// Chromium checks the path in use every 2.5 s.
const CHECK_REST: Duration = Duration::from_secs(3);
const CHECK_REST_LOWER: Duration = Duration::from_secs(10);
/// Checks waiting for their answer; the oldest is forgotten, and the client checks again.
const ASKED_MAX: usize = 16;
/// Transactions remembered; an older one sent again must come through the client's present password.
const ANSWERED_MAX: usize = 64;
/// Paths kept to fall back on; the one that was checked longest ago goes.
const KNOWN_MAX: usize = 8;

/// A pair of transport addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) proto: Protocol,
    /// The server's announced address.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// What a binding request says (RFC 8445, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) transaction: [u8; 12],
    pub(crate) priority: u32,
    pub(crate) nominates: bool,
}

/// A check that came over a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    check: Check,
    pub(crate) path: Path,
    pub(crate) at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    path: Path,
    priority: u32,
    checked: Instant,
    nominated: Option<Instant>,
}

/// The paths of one connection.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    asked: VecDeque<Asked>,
    answered: VecDeque<([u8; 12], Path)>,
    known: Vec<Known>,
    chosen: Option<Path>,
}

impl Paths {
    /// A binding request came. Nothing follows from it before the state machine has answered it.
    pub(crate) fn asked(&mut self, check: Check, path: Path, at: Instant) {
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked { check, path, at });
    }

    /// The state machine answered with success: the check had the right password. `None` for what
    /// was not asked, or was answered over another path before.
    pub(crate) fn answered(&mut self, transaction: [u8; 12], path: Path) -> Option<Asked> {
        let place = self
            .asked
            .iter()
            .position(|asked| asked.check.transaction == transaction && asked.path == path)?;
        let asked = self.asked.remove(place)?;
        match self.answered.iter().find(|(known, _)| *known == transaction) {
            Some((_, before)) if *before != path => return None,
            Some(_) => {}
            None => {
                if self.answered.len() == ANSWERED_MAX {
                    self.answered.pop_front();
                }
                self.answered.push_back((transaction, path));
            }
        }
        Some(asked)
    }

    /// The path is the client's; media moves to it if the table above says so. True if it moved.
    pub(crate) fn confirmed(&mut self, asked: &Asked) -> bool {
        let Asked { check, path, at } = *asked;
        let nominated = check.nominates.then_some(at);
        match self.known.iter_mut().find(|known| known.path == path) {
            Some(known) => {
                known.checked = at;
                known.priority = check.priority;
                known.nominated = nominated.or(known.nominated);
            }
            None => {
                if self.known.len() == KNOWN_MAX {
                    self.forget_oldest();
                }
                self.known.push(Known { path, priority: check.priority, checked: at, nominated });
            }
        }
        let moves = match self.present() {
            None => check.nominates,
            Some(present) => present.path != path && gives_way(present, &check, at),
        };
        if moves {
            self.chosen = Some(path);
        }
        moves
    }

    /// The client was reached over a path after it had fallen silent on its own: its media follows.
    pub(crate) fn reached(&mut self, path: Path, at: Instant) -> bool {
        let Some(present) = self.present().copied().filter(|present| present.path != path) else {
            return false;
        };
        if self.known.len() == KNOWN_MAX {
            self.forget_oldest();
        }
        self.known.retain(|known| known.path != path);
        self.known.push(Known { path, checked: at, nominated: Some(at), ..present });
        self.chosen = Some(path);
        true
    }

    /// Where media goes.
    pub(crate) fn in_use(&self) -> Option<Path> {
        self.chosen
    }

    /// New credentials: the next nomination counts, whatever went before. Until then media stays
    /// where it is.
    pub(crate) fn restarted(&mut self) {
        self.asked.clear();
        for known in &mut self.known {
            known.priority = 0;
            known.nominated = None;
        }
    }

    /// A path is no more (a TCP connection closed).
    pub(crate) fn lost(&mut self, path: Path) {
        self.known.retain(|known| known.path != path);
        if self.chosen == Some(path) {
            self.chosen = self.known.iter().max_by_key(|known| known.checked).map(|known| known.path);
        }
    }

    /// Sends what the state machine has for its own choice over the chosen path.
    pub(crate) fn direct(&self, transmit: &mut Transmit) {
        if let Some(path) = self.chosen {
            transmit.proto = path.proto;
            transmit.source = path.local;
            transmit.destination = path.remote;
        }
    }

    /// The path that was chosen; before that, the state machine's own.
    pub(crate) fn chosen(&self) -> Option<Path> {
        self.chosen
    }

    fn present(&self) -> Option<&Known> {
        let chosen = self.chosen?;
        self.known.iter().find(|known| known.path == chosen)
    }

    fn forget_oldest(&mut self) {
        let others = self.known.iter().enumerate().filter(|(_, known)| Some(known.path) != self.chosen);
        if let Some((place, _)) = others.min_by_key(|(_, known)| known.checked) {
            self.known.swap_remove(place);
        }
    }
}

/// Whether the present path gives way to a check on another.
fn gives_way(present: &Known, check: &Check, at: Instant) -> bool {
    let rested = |since: Instant, rest| at.saturating_duration_since(since) >= rest;
    let as_high = check.priority >= present.priority;
    match (check.nominates, as_high) {
        (true, true) => true,
        (true, false) => present.nominated.is_none_or(|since| rested(since, NOMINATION_REST)),
        (false, true) => rested(present.checked, CHECK_REST),
        (false, false) => rested(present.checked, CHECK_REST_LOWER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGH: u32 = 110 << 24;
    const LOW: u32 = 80 << 24;

    struct Line {
        paths: Paths,
        begun: Instant,
        transactions: u8,
    }

    impl Line {
        fn new() -> Self {
            Self { paths: Paths::default(), begun: Instant::now(), transactions: 0 }
        }

        /// A check with the right password; whether media moved.
        fn check(&mut self, path: Path, priority: u32, nominates: bool, at_ms: u64) -> bool {
            self.transactions += 1;
            let check = Check { transaction: [self.transactions; 12], priority, nominates };
            self.paths.asked(check, path, self.begun + Duration::from_millis(at_ms));
            let asked = self.paths.answered(check.transaction, path).expect("asked");
            self.paths.confirmed(&asked)
        }

        fn destination(&self) -> Option<SocketAddr> {
            self.paths.chosen.map(|path| path.remote)
        }
    }

    fn path(proto: Protocol, port: u16) -> Path {
        let local = SocketAddr::from(([192, 0, 2, 1], 7882));
        Path { proto, local, remote: SocketAddr::from(([198, 51, 100, 7], port)) }
    }

    #[test]
    fn follows_a_client_behind_a_reset_translation_at_once() {
        let mut line = Line::new();
        let (old, new) = (path(Protocol::Udp, 1000), path(Protocol::Udp, 2000));
        assert!(!line.check(old, HIGH, false, 0), "nothing is chosen before a nomination");
        assert!(line.check(old, HIGH, true, 10));
        assert!(line.check(new, HIGH, true, 20));
        assert_eq!(line.destination(), Some(new.remote));
    }

    #[test]
    fn keeps_to_the_highest_of_several_nominations() {
        let mut line = Line::new();
        let (udp, tcp) = (path(Protocol::Udp, 1000), path(Protocol::Tcp, 1001));
        assert!(line.check(tcp, LOW, true, 0));
        assert!(line.check(udp, HIGH, true, 5));
        assert!(!line.check(tcp, LOW, true, 300));
        assert_eq!(line.destination(), Some(udp.remote));
        // UDP is blocked: the client nominates what is left.
        assert!(line.check(tcp, LOW, true, 1_400));
        assert!(line.check(udp, HIGH, true, 1_500), "and back, when it works again");
    }

    #[test]
    fn follows_consent_checks_when_the_path_is_silent() {
        let mut line = Line::new();
        let (old, new, tcp) =
            (path(Protocol::Udp, 1000), path(Protocol::Udp, 2000), path(Protocol::Tcp, 1001));
        line.check(old, HIGH, true, 0);
        line.check(old, HIGH, false, 5_000);
        assert!(!line.check(new, HIGH, false, 7_900), "a backup path is checked too");
        assert!(line.check(new, HIGH, false, 8_000));
        assert!(!line.check(tcp, LOW, false, 17_900));
        assert!(line.check(tcp, LOW, false, 18_000));
    }

    #[test]
    fn a_captured_check_moves_nothing() {
        let mut line = Line::new();
        let (own, forged) = (path(Protocol::Udp, 1000), path(Protocol::Udp, 6666));
        line.check(own, HIGH, true, 0);
        let transaction = [line.transactions; 12];
        let check = Check { transaction, priority: HIGH, nominates: true };
        line.paths.asked(check, forged, line.begun + Duration::from_secs(60));
        assert!(line.paths.answered(transaction, forged).is_none());
        assert!(line.paths.answered([0xee; 12], forged).is_none(), "never asked");
        // The client's own repetition is no harm.
        line.paths.asked(check, own, line.begun + Duration::from_secs(61));
        assert!(line.paths.answered(transaction, own).is_some());
        assert_eq!(line.destination(), Some(own.remote));
    }

    #[test]
    fn a_restart_lets_the_next_nomination_count() {
        let mut line = Line::new();
        let (udp, tcp) = (path(Protocol::Udp, 1000), path(Protocol::Tcp, 1001));
        line.check(udp, HIGH, true, 0);
        line.paths.restarted();
        assert_eq!(line.destination(), Some(udp.remote), "media stays until then");
        assert!(line.check(tcp, LOW, true, 10));
    }

    #[test]
    fn a_client_that_is_reached_elsewhere_is_followed() {
        let mut line = Line::new();
        let (old, new) = (path(Protocol::Udp, 1000), path(Protocol::Udp, 2000));
        assert!(!line.paths.reached(new, line.begun), "not before it has nominated a path");
        line.check(old, HIGH, true, 0);
        assert!(line.paths.reached(new, line.begun + Duration::from_secs(1)));
        assert_eq!(line.destination(), Some(new.remote));
        assert!(!line.check(new, HIGH, true, 2_000), "where it is already");
        assert!(line.check(old, HIGH, true, 3_000), "and back");
    }

    #[test]
    fn a_closed_connection_gives_way_to_what_was_checked_last() {
        let mut line = Line::new();
        let (udp, tcp) = (path(Protocol::Udp, 1000), path(Protocol::Tcp, 1001));
        line.check(tcp, LOW, true, 0);
        line.check(udp, LOW - 1, false, 50);
        line.paths.lost(tcp);
        assert_eq!(line.destination(), Some(udp.remote));
        line.paths.lost(udp);
        assert_eq!(line.destination(), None);
    }

    #[test]
    fn everything_is_bounded_and_the_chosen_path_stays() {
        let mut line = Line::new();
        line.check(path(Protocol::Udp, 1), HIGH, true, 0);
        for port in 2..200 {
            line.check(path(Protocol::Udp, port), LOW, false, u64::from(port));
            let check = Check { transaction: [0; 12], priority: 0, nominates: true };
            line.paths.asked(check, path(Protocol::Udp, port), line.begun);
        }
        assert_eq!(line.destination().map(|to| to.port()), Some(1));
        let Paths { asked, answered, known, .. } = &line.paths;
        assert_eq!((asked.len(), answered.len(), known.len()), (ASKED_MAX, ANSWERED_MAX, KNOWN_MAX));
    }
}
