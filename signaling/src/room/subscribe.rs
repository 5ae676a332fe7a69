//! Who receives what.

use livekit_protocol as proto;
use parley_media_rtc::{ParticipantKey, SlotSettings, TrackKey};
use proto::signal_response::Message;

use super::{MediaCommand, Now, Room, permission::SubscriptionRules};
use crate::ids::TrackSid;

/// Track sids looked at in one request.
const MAX_SIDS: usize = 4_096;

impl Room {
    /// A newcomer with auto-subscribe gets everything there is.
    pub(super) fn subscribe_to_all(&mut self, key: ParticipantKey) {
        let tracks: Vec<TrackKey> =
            self.tracks.values().filter(|track| track.published).map(|track| track.key).collect();
        for track in tracks {
            self.offer_track(key, track);
        }
    }

    /// A new track goes to all who subscribe by themselves.
    pub(super) fn offer_to_subscribers(&mut self, track: TrackKey) {
        let receivers: Vec<ParticipantKey> = self.participants.keys().copied().collect();
        for receiver in receivers {
            self.offer_track(receiver, track);
        }
    }

    fn offer_track(&mut self, key: ParticipantKey, track_key: TrackKey) {
        let Some(track) = self.tracks.get(&track_key).filter(|track| track.publisher != key) else { return };
        let allowed = self.allowed(key, track_key);
        let (publisher, sid) = (track.publisher, track.sid.clone());
        let Some(participant) = self.participants.get_mut(&key) else { return };
        if participant.auto_subscribe {
            participant.subscriptions.entry(track_key).or_default().wanted = true;
        }
        if !allowed {
            self.tell_permission(key, publisher, sid, false);
        }
        self.settle(key, track_key);
    }

    /// Does the publisher let `key` receive the track?
    fn allowed(&self, key: ParticipantKey, track: TrackKey) -> bool {
        let (Some(participant), Some(track)) = (self.participants.get(&key), self.tracks.get(&track)) else {
            return false;
        };
        self.participants.get(&track.publisher).is_some_and(|publisher| {
            publisher.rules.allows(&participant.identity, &participant.sid, &track.sid)
        })
    }

    /// Makes the media worker do what is wished and allowed.
    fn settle(&mut self, key: ParticipantKey, track_key: TrackKey) {
        let allowed = self.allowed(key, track_key);
        let published = self.tracks.get(&track_key).is_some_and(|track| track.published);
        let Some(participant) = self.participants.get_mut(&key) else { return };
        let may = participant.permission.can_subscribe && allowed && published;
        let Some(subscription) = participant.subscriptions.get_mut(&track_key) else { return };
        let active = subscription.wanted && may;
        if active == subscription.active {
            return;
        }
        subscription.active = active;
        let settings = subscription.settings;
        self.media(if active {
            MediaCommand::Subscribe { participant: key, track: track_key, settings }
        } else {
            MediaCommand::Unsubscribe { participant: key, track: track_key }
        });
    }

    /// The media worker has no place for a subscription. The receiver is not at fault: the others
    /// go on, and a later wish tries again.
    pub(crate) fn not_subscribed(&mut self, key: ParticipantKey, track: TrackKey) {
        let participant = self.participants.get_mut(&key);
        if let Some(wish) = participant.and_then(|participant| participant.subscriptions.get_mut(&track)) {
            wish.active = false;
        }
    }

    pub(super) fn update_subscription(&mut self, key: ParticipantKey, update: proto::UpdateSubscription) {
        let wanted = update.subscribe;
        let by_participant = update.participant_tracks.into_iter().flat_map(|entry| entry.track_sids);
        let sids: Vec<String> = update.track_sids.into_iter().chain(by_participant).take(MAX_SIDS).collect();
        let may_subscribe =
            self.participants.get(&key).is_some_and(|participant| participant.permission.can_subscribe);
        for sid in sids {
            let track = self.by_track_sid.get(&TrackSid(sid.clone())).copied();
            let track = track.filter(|track| self.tracks[track].publisher != key);
            let Some(track) = track.filter(|_| may_subscribe || !wanted) else {
                if wanted {
                    let err = proto::SubscriptionError::SeTrackNotfound as i32;
                    let response = proto::SubscriptionResponse { track_sid: sid, err };
                    self.send(key, Message::SubscriptionResponse(response));
                }
                continue;
            };
            if let Some(participant) = self.participants.get_mut(&key) {
                participant.subscriptions.entry(track).or_default().wanted = wanted;
            }
            if wanted && !self.allowed(key, track) {
                let (publisher, sid) = (self.tracks[&track].publisher, self.tracks[&track].sid.clone());
                self.tell_permission(key, publisher, sid, false);
            }
            self.settle(key, track);
        }
    }

    pub(super) fn track_settings(&mut self, key: ParticipantKey, update: &proto::UpdateTrackSettings) {
        let settings = slot_settings(update);
        for sid in update.track_sids.iter().take(MAX_SIDS) {
            let Some(track) = self.by_track_sid.get(&TrackSid(sid.clone())).copied() else { continue };
            let Some(participant) = self.participants.get_mut(&key) else { return };
            let subscription = participant.subscriptions.entry(track).or_default();
            if subscription.settings == settings {
                continue;
            }
            subscription.settings = settings;
            if subscription.active {
                self.media(MediaCommand::UpdateSubscription { participant: key, track, settings });
            }
        }
    }

    /// Tracks that the client has switched off, told on a resume.
    pub(super) fn disable_tracks(&mut self, key: ParticipantKey, sids: &[String]) {
        for sid in sids.iter().take(MAX_SIDS) {
            let Some(track) = self.by_track_sid.get(&TrackSid(sid.clone())).copied() else { continue };
            let Some(participant) = self.participants.get_mut(&key) else { return };
            let subscription = participant.subscriptions.entry(track).or_default();
            if subscription.settings.enabled {
                subscription.settings.enabled = false;
                let settings = subscription.settings;
                if subscription.active {
                    self.media(MediaCommand::UpdateSubscription { participant: key, track, settings });
                }
            }
        }
    }

    /// A publisher says who may have its tracks.
    pub(super) fn subscription_permission(
        &mut self,
        key: ParticipantKey,
        message: proto::SubscriptionPermission,
    ) {
        let Some(publisher) = self.participants.get(&key) else { return };
        let tracks: Vec<TrackKey> =
            publisher.tracks.iter().copied().filter(|track| self.tracks[track].published).collect();
        let receivers: Vec<ParticipantKey> =
            self.participants.keys().copied().filter(|receiver| *receiver != key).collect();
        let pairs: Vec<(ParticipantKey, TrackKey)> = receivers
            .iter()
            .flat_map(|receiver| tracks.iter().map(move |track| (*receiver, *track)))
            .collect();
        let before: Vec<bool> =
            pairs.iter().map(|(receiver, track)| self.allowed(*receiver, *track)).collect();
        if let Some(publisher) = self.participants.get_mut(&key) {
            publisher.rules = SubscriptionRules::new(message);
        }
        for ((receiver, track), before) in pairs.into_iter().zip(before) {
            let allowed = self.allowed(receiver, track);
            if allowed != before {
                let sid = self.tracks[&track].sid.clone();
                self.tell_permission(receiver, key, sid, allowed);
                self.settle(receiver, track);
            }
        }
    }

    fn tell_permission(
        &mut self,
        to: ParticipantKey,
        publisher: ParticipantKey,
        track: TrackSid,
        allowed: bool,
    ) {
        let Some(publisher) = self.participants.get(&publisher) else { return };
        let update = proto::SubscriptionPermissionUpdate {
            participant_sid: publisher.sid.0.clone(),
            track_sid: track.0,
            allowed,
        };
        self.send(to, Message::SubscriptionPermissionUpdate(update));
    }

    /// Changes what a participant may do, at once.
    pub(crate) fn set_permission(
        &mut self,
        identity: &crate::ids::Identity,
        mut permission: proto::ParticipantPermission,
        now: Now,
    ) -> bool {
        let Some(key) = self.by_identity.get(identity).copied() else { return false };
        let Some(participant) = self.participants.get_mut(&key) else { return false };
        // What somebody is does not change.
        #[allow(deprecated)]
        {
            permission.recorder = participant.permission.recorder;
            permission.agent = participant.permission.agent;
        }
        let was_hidden = std::mem::replace(&mut participant.permission, permission).hidden;
        let kept = participant.permission.clone();
        if let Some(grants) = participant.claims.video.as_mut() {
            grants.restrict_to(&kept);
        }
        let forbidden: Vec<TrackKey> = participant
            .tracks
            .iter()
            .copied()
            .filter(|track| !participant.may_publish(self.tracks[track].source()))
            .collect();
        let subscribed: Vec<TrackKey> = participant.subscriptions.keys().copied().collect();
        for track in forbidden {
            let track_sid = self.tracks[&track].sid.0.clone();
            self.send(key, Message::TrackUnpublished(proto::TrackUnpublishedResponse { track_sid }));
            self.track_ended(track, now);
        }
        for track in subscribed {
            self.settle(key, track);
        }
        if !kept.can_subscribe {
            self.unsubscribe_data_tracks(key);
        }
        if !kept.can_publish_data {
            self.unpublish_data_tracks(key);
        }
        if kept.hidden && !was_hidden {
            self.vanish(key);
        }
        self.announce(key);
        self.refresh_token(key, now);
        true
    }

    /// Others are told that somebody has gone who is hidden from now on.
    fn vanish(&mut self, key: ParticipantKey) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        participant.version += 1;
        let mut info = participant.info(Vec::new());
        info.state = proto::participant_info::State::Disconnected as i32;
        let update = proto::ParticipantUpdate { participants: vec![info] };
        self.broadcast(Message::Update(update), |receiver| receiver.key != key);
    }
}

/// Priority 1 is the highest in the protocol and 0 is unset; inside, higher goes first.
const PRIORITIES: u32 = 1_000;

fn slot_settings(update: &proto::UpdateTrackSettings) -> SlotSettings {
    use parley_media_rtc::Spatial;
    let sized = update.width > 0 && update.height > 0;
    let max_spatial = match update.quality() {
        _ if sized => None,
        proto::VideoQuality::Low => Some(Spatial(0)),
        proto::VideoQuality::Medium => Some(Spatial(1)),
        proto::VideoQuality::High | proto::VideoQuality::Off => None,
    };
    SlotSettings {
        enabled: !update.disabled && (sized || update.quality() != proto::VideoQuality::Off),
        width: update.width,
        height: update.height,
        max_spatial,
        fps: update.fps,
        priority: match update.priority {
            0 => 0,
            priority => PRIORITIES.saturating_sub(priority),
        },
    }
}
