//! Faults that a client asks for, to test itself. They touch nobody else.

use std::time::Duration;

use livekit_protocol as proto;
use parley_media_rtc::{ParticipantKey, Speaker};
use proto::{leave_request::Action, simulate_scenario::Scenario};

use super::{LeaveReason, Now, Output, Room, leave_message};
use crate::ids::SessionId;

const MAX_SIMULATED_SPEECH_S: u64 = 60;
/// SDKs try this often within one resume.
const FAILED_RESUMES: u8 = 3;

impl Room {
    pub(super) fn simulate(&mut self, key: ParticipantKey, scenario: &proto::SimulateScenario, now: Now) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        let session = participant.session;
        match scenario.scenario {
            Some(Scenario::SpeakerUpdate(seconds)) => {
                let seconds = u64::try_from(seconds).unwrap_or(0).min(MAX_SIMULATED_SPEECH_S);
                participant.simulated_speech_until = Some(now.mono + Duration::from_secs(seconds));
                self.simulated_speech(key, true);
            }
            // The node is gone: no goodbye, and nobody knows the session any more.
            Some(Scenario::NodeFailure(true)) => self.remove(key, LeaveReason::UnknownReason, None, now),
            Some(Scenario::ServerLeave(true)) => {
                self.remove(key, LeaveReason::ParticipantRemoved, Some(Action::Disconnect), now);
            }
            Some(Scenario::LeaveRequestFullReconnect(true)) => {
                self.remove(key, LeaveReason::UnknownReason, Some(Action::Reconnect), now);
            }
            Some(Scenario::Migration(true)) => {
                if let Some(session) = session {
                    let message = leave_message(LeaveReason::Migration, Action::Resume);
                    self.outputs.push_back(Output::Send { to: vec![session], message: Box::new(message) });
                    self.outputs.push_back(Output::Close { session });
                    self.session_lost(session, now);
                }
            }
            Some(Scenario::DisconnectSignalOnResume(true)) => {
                participant.fail_resumes = 1;
                participant.fail_resumes_silently = false;
            }
            Some(Scenario::DisconnectSignalOnResumeNoMessages(true)) => {
                participant.fail_resumes = FAILED_RESUMES;
                participant.fail_resumes_silently = true;
            }
            // Needs what this server does not have: ICE-TCP, an artificial bandwidth limit.
            Some(Scenario::SwitchCandidateProtocol(_) | Scenario::SubscriberBandwidth(_)) => {}
            _ => {}
        }
    }

    /// True if the new socket was closed on purpose. `silently` = before the first message.
    pub(super) fn fail_resume(
        &mut self,
        key: ParticipantKey,
        session: SessionId,
        silently: bool,
        now: Now,
    ) -> bool {
        let Some(participant) = self.participants.get_mut(&key) else { return false };
        if participant.fail_resumes == 0 || participant.fail_resumes_silently != silently {
            return false;
        }
        participant.fail_resumes -= 1;
        participant.session = None;
        participant.lost_at = Some(now.mono);
        self.by_session.remove(&session);
        self.outputs.push_back(Output::Close { session });
        true
    }

    pub(super) fn end_simulated_speech(&mut self, now: Now) {
        let due: Vec<ParticipantKey> = self
            .participants
            .values_mut()
            .filter(|participant| participant.simulated_speech_until.is_some_and(|until| now.mono >= until))
            .map(|participant| {
                participant.simulated_speech_until = None;
                participant.key
            })
            .collect();
        for key in due {
            self.simulated_speech(key, false);
        }
    }

    fn simulated_speech(&mut self, key: ParticipantKey, active: bool) {
        let level = if active { 0.9 } else { 0.0 };
        let info = self.speaker_info(Speaker { participant: key, level, active });
        self.send_speakers(info.into_iter().collect());
    }
}
