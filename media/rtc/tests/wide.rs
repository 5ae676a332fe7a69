//! A room wider than one worker: each participant here is on a worker of its own.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use parley_media_rtc::*;
use support::*;

fn wide() -> MediaConfig {
    MediaConfig { workers: 3, room_width: 1, ..config() }
}

fn low() -> SlotSettings {
    SlotSettings { max_spatial: Some(Spatial(0)), ..SlotSettings::default() }
}

/// Alice publishes a camera and a microphone, bob watches both from another worker.
struct Call {
    scene: Scene,
    alice: Client,
    bob: Client,
    sender: Sender,
    audio: String,
    video: String,
}

async fn call(settings: SlotSettings) -> Call {
    let mut scene = Scene::open_with(wide()).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 1, 1).await;
    scene.join(2, &mut bob, 1, 1).await;
    let audio = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut sender = Sender { video: Some(video), audio: Some(audio), ..Sender::default() };
    scene.start_tracks(&mut alice, &mut sender, &[10, 11]).await;
    for key in [10, 11] {
        scene.room.subscribe(ParticipantKey(2), TrackKey(key), settings).await.unwrap();
    }
    let mut shown = Vec::new();
    while shown.len() < 2 {
        shown = scene.reoffer(2, &mut bob).await.mid_to_track;
    }
    let mid_of = |sid: &str| shown.iter().find(|(_, of)| of == sid).unwrap().0.clone();
    let (audio, video) = (mid_of("TR_10"), mid_of("TR_11"));
    let mut call = Call { scene, alice, bob, sender, audio, video };
    call.receive(30).await;
    call
}

impl Call {
    /// Both streams bring so many packets more.
    async fn receive(&mut self, count: usize) {
        for mid in [self.audio.clone(), self.video.clone()] {
            self.scene.receive(&mut self.alice, &mut self.sender, &mut self.bob, &mid, count).await;
        }
    }

    async fn until(&mut self, what: &str, mut done: impl FnMut(&Scene, &Client, &Client) -> bool) {
        let sender = &mut self.sender;
        let mut clients = [&mut self.alice, &mut self.bob];
        self.scene
            .until(&mut clients, what, |scene, clients| {
                sender.send(clients[0]);
                done(scene, clients[0], clients[1])
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_and_picture_come_from_another_worker() {
    let mut call = Box::pin(call(SlotSettings::default())).await;
    let metrics = call.scene.media.metrics();
    assert!(metrics.relayed > 60 && metrics.dropped_relay == 0, "{metrics:?}");
    call.until("it is counted as one room", |scene, _, _| {
        let metrics = scene.media.metrics();
        (metrics.rooms, metrics.participants) == (1, 2)
    })
    .await;
    let picture = &call.bob.got[&call.video];
    assert_eq!(gaps(&picture.sequences), []);
    assert_eq!(picture.payloads[0][6] & 1, 0, "the picture begins with a keyframe");
    let sound = &call.bob.got[&call.audio];
    assert_eq!(gaps(&sound.sequences), []);
    assert_eq!(sound.audio_levels[0], Some(-20));

    call.until("alice is a speaker", |scene, _, _| {
        scene.seen.iter().any(|event| match event {
            MediaEvent::Speakers(speakers) => {
                speakers.iter().any(|speaker| speaker.participant == ParticipantKey(1))
            }
            _ => false,
        })
    })
    .await;
    let Call { scene, .. } = call;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_for_layers_and_keyframes_go_back() {
    let mut call = Box::pin(call(low())).await;
    let wanted = |scene: &Scene, level: Option<u8>| {
        scene.seen.iter().rev().find_map(|event| match event {
            MediaEvent::SubscribedQuality {
                track: TrackKey(11), max, publisher: ParticipantKey(1), ..
            } => Some(*max == level),
            _ => None,
        }) == Some(true)
    };
    call.until("only the low layer is wanted", |scene, _, _| wanted(scene, Some(0))).await;
    let all = SlotSettings::default();
    call.scene.room.update_subscription(ParticipantKey(2), TrackKey(11), all).await.unwrap();
    call.until("the high layer is wanted", |scene, _, _| wanted(scene, Some(2))).await;

    call.sender.no_keyframes = true;
    call.alice.keyframe_requests.clear();
    let mid = call.bob.receiving.iter().find(|mid| mid.to_string() == call.video).copied().unwrap();
    call.bob.request_keyframe(mid);
    call.until("alice is asked for a keyframe", |_, alice, _| !alice.keyframe_requests.is_empty()).await;

    call.scene.room.unsubscribe(ParticipantKey(2), TrackKey(11)).await.unwrap();
    call.until("nobody watches", |scene, _, _| wanted(scene, None)).await;
    call.scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_track_is_silent_everywhere_and_an_ended_one_gone() {
    let mut call = Box::pin(call(SlotSettings::default())).await;
    call.scene.room.set_track_muted(TrackKey(10), true).await.unwrap();
    // What was on its way arrives.
    let video = call.video.clone();
    call.scene.receive(&mut call.alice, &mut call.sender, &mut call.bob, &video, 20).await;
    let quiet = call.bob.got[&call.audio].sequences.len();
    call.scene.receive(&mut call.alice, &mut call.sender, &mut call.bob, &video, 20).await;
    assert_eq!(call.bob.got[&call.audio].sequences.len(), quiet, "muted");
    call.scene.room.set_track_muted(TrackKey(10), false).await.unwrap();
    call.receive(20).await;
    assert_eq!(gaps(&call.bob.got[&call.audio].sequences), []);

    // Carol comes later, on the third worker, and gets what goes over already.
    let mut carol = Client::new();
    call.scene.join(3, &mut carol, 0, 1).await;
    call.scene.room.subscribe(ParticipantKey(3), TrackKey(11), SlotSettings::default()).await.unwrap();
    let shown = call.scene.reoffer(3, &mut carol).await.mid_to_track;
    call.scene.receive(&mut call.alice, &mut call.sender, &mut carol, &shown[0].0, 20).await;

    call.scene.room.leave(ParticipantKey(1)).await.unwrap();
    let answer = call.scene.reoffer(2, &mut call.bob).await;
    assert!(answer.mid_to_track.is_empty(), "both tracks are gone");
    assert!(matches!(
        call.scene.room.subscribe(ParticipantKey(3), TrackKey(11), low()).await,
        Err(MediaError::UnknownTrack)
    ));
    call.scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_reaches_all_workers_and_the_end_is_told_once() {
    let mut scene = Scene::open_with(wide()).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    scene.join(2, &mut bob, 0, 0).await;
    let to = vec![ParticipantKey(1), ParticipantKey(2), ParticipantKey(9)];
    scene.room.send_data(to, DataKind::Reliable, bytes("all")).await.unwrap();
    scene
        .until(&mut [&mut alice, &mut bob], "the message", |_, clients| {
            clients.iter().all(|client| client.data.len() == 1)
        })
        .await;
    assert!(matches!(scene.room.join(ParticipantKey(2), PeerMode::Single).await, Err(MediaError::Limit(_))));
    scene.room.close().await;
    scene.media.shutdown(Duration::from_secs(10)).await;
    scene.poll_events();
    let ends = scene.seen.iter().filter(|event| matches!(event, MediaEvent::Closed { .. })).count();
    assert_eq!(ends, 1);
}
