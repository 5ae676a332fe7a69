//! Estimation by the application: it gets the feedback, and tells rates and probes.

use std::mem;
use std::time::Duration;

use super::api::{PacketFeedback, ProbeId};
use super::probe::{ProbeClusterConfig, ProbeKind};
use crate::rtp_::{Bitrate, TwccClusterId, TwccSendRecord};

/// Feedback kept for an application that does not poll; beyond that the oldest is dropped.
const MAX_FEEDBACK: usize = 10_000;
/// Few packets on narrow links, where even one takes long.
const MIN_PROBE_PACKETS: usize = 4;

/// Takes the place of the built-in estimator.
#[derive(Debug)]
pub(super) struct External {
    estimate: Bitrate,
    congested: bool,
    feedback: Vec<PacketFeedback>,
    requested: Option<ProbeClusterConfig>,
    running: Option<TwccClusterId>,
    next_probe: u64,
}

impl External {
    pub fn new(estimate: Bitrate) -> Self {
        Self {
            estimate,
            congested: false,
            feedback: Vec::new(),
            requested: None,
            running: None,
            next_probe: 0,
        }
    }

    pub fn estimate(&self) -> Bitrate {
        self.estimate
    }

    pub fn congested(&self) -> bool {
        self.congested
    }

    pub fn set_estimate(&mut self, estimate: Bitrate, congested: bool) {
        self.estimate = estimate;
        self.congested = congested;
    }

    /// One at a time: `None` while another is being sent.
    pub fn request(&mut self, rate: Bitrate, duration: Duration) -> Option<ProbeId> {
        if self.requested.is_some() || self.running.is_some() {
            return None;
        }
        let id = self.next_probe;
        self.next_probe += 1;
        let config = ProbeClusterConfig::new(id.into(), rate, ProbeKind::External)
            .with_duration(duration)
            .with_min_packet_count(MIN_PROBE_PACKETS);
        self.requested = Some(config);
        Some(ProbeId(id))
    }

    pub fn may_probe(&self) -> bool {
        self.requested.is_some() || self.running.is_some()
    }

    pub fn next_probe(&mut self, can_probe: bool) -> Option<ProbeClusterConfig> {
        if !can_probe {
            self.running = None;
        }
        self.requested.take().filter(|_| can_probe)
    }

    pub fn probe_started(&mut self, cluster: TwccClusterId) {
        self.running = Some(cluster);
    }

    pub fn probe_ended(&mut self, cluster: TwccClusterId) {
        if self.running == Some(cluster) {
            self.running = None;
        }
    }

    pub fn probes_gone(&mut self) {
        self.running = None;
    }

    pub fn update<'t>(&mut self, records: impl Iterator<Item = &'t TwccSendRecord>) {
        if self.feedback.len() >= MAX_FEEDBACK {
            self.feedback.clear();
        }
        self.feedback.extend(records.map(|record| PacketFeedback {
            sent: record.local_send_time(),
            received: record.remote_recv_time(),
            size: record.size(),
            probe: record.cluster().map(|cluster| ProbeId(*cluster)),
        }));
    }

    pub fn take_feedback(&mut self) -> Option<Vec<PacketFeedback>> {
        (!self.feedback.is_empty()).then(|| mem::take(&mut self.feedback))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::rtp_::TwccPacketId;
    use std::time::Instant;

    #[test]
    fn one_probe_at_a_time() {
        let mut external = External::new(Bitrate::kbps(500));
        let first = external.request(Bitrate::mbps(1), Duration::from_millis(50));
        assert_eq!(first, Some(ProbeId(0)));
        assert_eq!(external.request(Bitrate::mbps(1), Duration::ZERO), None);
        let config = external.next_probe(true).expect("a probe");
        assert_eq!(config.target_bitrate(), Bitrate::mbps(1));
        external.probe_started(config.cluster());
        assert_eq!(external.request(Bitrate::mbps(1), Duration::ZERO), None);
        external.probe_ended(config.cluster());
        assert_eq!(
            external.request(Bitrate::mbps(1), Duration::ZERO),
            Some(ProbeId(1))
        );
        // What cannot be sent is forgotten.
        assert!(external.next_probe(false).is_none());
        assert_eq!(
            external.request(Bitrate::mbps(1), Duration::ZERO),
            Some(ProbeId(2))
        );
    }

    #[test]
    fn feedback_is_passed_on() {
        let mut external = External::new(Bitrate::kbps(500));
        assert_eq!(external.take_feedback(), None);
        let now = Instant::now();
        let records = [
            TwccSendRecord::test_new(TwccPacketId::with_cluster(1, 7), now, 900, now, Some(now)),
            TwccSendRecord::test_new(TwccPacketId::new(2), now, 100, now, None),
        ];
        external.update(records.iter());
        let feedback = external.take_feedback().expect("feedback");
        assert_eq!(feedback[0].probe, Some(ProbeId(7)));
        assert_eq!((feedback[0].size, feedback[0].received), (900, Some(now)));
        assert_eq!((feedback[1].size, feedback[1].received), (100, None));
        assert_eq!(external.take_feedback(), None);
    }
}
