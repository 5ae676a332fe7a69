//! Protocol v0 over real sockets: the client publishes on one connection, the server offers on another.

#![allow(clippy::unwrap_used)]

mod support;

use parley_media_rtc::*;
use support::*;

type Offer = (u32, String, Vec<(String, String)>);

async fn next_offer(scene: &mut Scene, key: u64, clients: &mut [&mut Client]) -> Offer {
    scene
        .event(clients, "an offer", |event| match event {
            MediaEvent::Offer { participant, id, sdp, mid_to_track }
                if *participant == ParticipantKey(key) =>
            {
                Some((*id, sdp.clone(), mid_to_track.clone()))
            }
            _ => None,
        })
        .await
}

async fn answer_next(scene: &mut Scene, key: u64, client: &mut Client) -> Offer {
    let offer = next_offer(scene, key, &mut [client]).await;
    let answer = client.answer(&offer.1);
    scene.room.answer(ParticipantKey(key), offer.0, answer).await.unwrap();
    offer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_offers_what_is_subscribed() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let audio = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let mut sender = Sender { video: Some(video), audio: Some(audio), ..Sender::default() };
    scene.start_tracks(&mut alice, &mut sender, &[10, 11]).await;

    scene.room.join(ParticipantKey(2), PeerMode::Dual).await.unwrap();
    // Subscribed while the first offer, which opens the data channels, is in flight.
    for key in [10, 11] {
        scene.room.subscribe(ParticipantKey(2), TrackKey(key), SlotSettings::default()).await.unwrap();
    }
    let first = answer_next(&mut scene, 2, &mut bob).await;
    assert!(first.2.is_empty() && first.1.contains("m=application"));
    let second = answer_next(&mut scene, 2, &mut bob).await;
    assert!(second.0 > first.0);
    assert_eq!(second.2.len(), 2);
    assert!(second.1.contains("a=msid:PA_11|TR_11 TR_11"));
    scene
        .until(&mut [&mut alice, &mut bob], "connection", |_, clients| {
            clients[1].connected && clients[1].channels.len() == 3
        })
        .await;
    let mid = second.2.iter().find(|(_, sid)| sid == "TR_11").unwrap().0.clone();
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    assert_eq!(gaps(&bob.got[&mid].sequences), []);

    scene.room.send_data(vec![ParticipantKey(2)], DataKind::Reliable, bytes("hello")).await.unwrap();
    scene.until(&mut [&mut bob], "data", |_, clients| !clients[0].data.is_empty()).await;
    assert_eq!(bob.data[0], ("_reliable".to_owned(), b"hello".to_vec()));

    // The track goes and comes again, on another section.
    scene.room.unsubscribe(ParticipantKey(2), TrackKey(11)).await.unwrap();
    scene.room.subscribe(ParticipantKey(2), TrackKey(11), SlotSettings::default()).await.unwrap();
    let mut old_is_silent = false;
    let again = loop {
        let offer = answer_next(&mut scene, 2, &mut bob).await;
        let shown = offer.2.iter().find(|(_, sid)| sid == "TR_11").cloned();
        old_is_silent |= shown.as_ref().is_none_or(|(shown, _)| *shown != mid);
        if let Some((shown, _)) = shown {
            break shown;
        }
    };
    assert!(old_is_silent && again != mid);
    scene.receive(&mut alice, &mut sender, &mut bob, &again, 20).await;
    assert_eq!(gaps(&bob.got[&again].sequences), []);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_client_gets_new_credentials() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut sender = Sender { video: Some(video), ..Sender::default() };
    scene.start_tracks(&mut alice, &mut sender, &[11]).await;
    scene.room.join(ParticipantKey(2), PeerMode::Dual).await.unwrap();
    let first = answer_next(&mut scene, 2, &mut bob).await;
    scene.until(&mut [&mut bob], "connection", |_, clients| clients[0].connected).await;

    // An offer is in flight when the client resumes; it will never be answered.
    scene.room.subscribe(ParticipantKey(2), TrackKey(11), SlotSettings::default()).await.unwrap();
    let lost = next_offer(&mut scene, 2, &mut [&mut bob]).await;
    scene.room.restart_subscriber(ParticipantKey(2)).await.unwrap();
    // Its answer may still come, before the right one and after it: nothing happens.
    scene.room.answer(ParticipantKey(2), lost.0, lost.1.clone()).await.unwrap();
    let restarted = answer_next(&mut scene, 2, &mut bob).await;
    let ufrag = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap().to_owned();
    assert_ne!(ufrag(&first.1), ufrag(&restarted.1));
    scene.room.answer(ParticipantKey(2), lost.0, restarted.1.clone()).await.unwrap();
    let mid = restarted.2[0].0.clone();
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dual_client_publishes_and_sends_data() {
    let mut scene = Scene::open().await;
    let (mut publisher, mut subscriber) = (Client::new(), Client::new());
    scene.room.join(ParticipantKey(1), PeerMode::Dual).await.unwrap();
    answer_next(&mut scene, 1, &mut subscriber).await;
    let offer = publisher.offer_v1(0, 0);
    let answer = scene.room.offer(ParticipantKey(1), offer).await.unwrap();
    assert!(answer.mid_to_track.is_empty());
    publisher.accept(&answer.sdp);
    let video =
        scene.publish(1, &mut publisher, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    scene
        .until(&mut [&mut publisher, &mut subscriber], "connections", |_, clients| {
            clients.iter().all(|client| client.connected && client.channels.len() == 3)
        })
        .await;
    let mut sender = Sender { video: Some(video), ..Sender::default() };
    scene.start_tracks(&mut publisher, &mut sender, &[11]).await;
    assert!(publisher.send_data("_reliable", b"up"));
    scene
        .event(&mut [&mut publisher], "data", |event| match event {
            MediaEvent::Data { data, .. } => Some(data.clone()),
            _ => None,
        })
        .await;
    scene.stop().await;
}
