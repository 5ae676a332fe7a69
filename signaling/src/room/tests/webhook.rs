use proto::{DisconnectReason as Reason, leave_request::Action};

use super::*;
use crate::config::WebhookConfig;

fn world() -> World {
    let webhooks = WebhookConfig { urls: vec!["http://127.0.0.1/".into()], ..WebhookConfig::default() };
    let config = SignalingConfig { webhooks, ..SignalingConfig::new("k", "s") };
    World::with(&config, RoomOptions::default())
}

fn webhooks(outputs: &[Output]) -> Vec<&proto::WebhookEvent> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Webhook(event) => Some(event.as_ref()),
            _ => None,
        })
        .collect()
}

fn names(outputs: &[Output]) -> Vec<&str> {
    webhooks(outputs).iter().map(|event| event.event.as_str()).collect()
}

#[test]
fn a_call_is_told_from_beginning_to_end() {
    let mut world = world();
    let ann = world.join("ann");
    let mic = world.publish(ann, "mic", proto::TrackSource::Microphone);
    world.ask(ann, Request::Leave(proto::LeaveRequest::default()));
    world.advance(Duration::from_secs(21));
    let out = world.take();
    assert_eq!(
        names(&out),
        [
            "room_started",
            "participant_joined",
            "track_published",
            "track_unpublished",
            "participant_left",
            "room_finished"
        ]
    );
    let told = webhooks(&out);
    assert_eq!(told[1].room.as_ref().unwrap().num_participants, 1);
    assert_eq!(told[2].track.as_ref().unwrap().sid, mic);
    assert_eq!(told[4].participant.as_ref().unwrap().disconnect_reason(), Reason::ClientInitiated);
    assert_eq!(told[5].room_end_reason(), proto::RoomEndReason::RoomEndIdleTimeout);
    assert!(told.iter().all(|event| event.id.starts_with("EV_") && event.created_at >= 1_000));
}

#[test]
fn one_without_a_media_connection_has_not_joined() {
    let mut world = world();
    world.try_join(request("ann", grants())).unwrap();
    world.advance(Duration::from_secs(60));
    let out = world.take();
    assert_eq!(names(&out)[..2], ["room_started", "participant_connection_aborted"]);
    assert_eq!(webhooks(&out)[1].participant.as_ref().unwrap().disconnect_reason(), Reason::JoinFailure);
}

#[test]
fn a_deleted_room_says_who_was_in_it() {
    let mut world = world();
    world.join("ann");
    world.join("bob");
    world.take();
    let now = world.now();
    world.room.close(Reason::RoomDeleted, Action::Disconnect, now);
    let out = world.take();
    assert_eq!(names(&out), ["participant_left", "participant_left", "room_finished"]);
    assert_eq!(webhooks(&out)[2].room_end_reason(), proto::RoomEndReason::RoomEndApiDelete);
}

#[test]
fn nothing_is_made_when_nobody_listens() {
    let mut world = World::new(RoomOptions::default());
    world.join("ann");
    assert!(webhooks(&world.take()).is_empty());
}
