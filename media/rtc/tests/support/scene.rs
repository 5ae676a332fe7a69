//! A room on a running media plane, and the steps that most tests share.

use std::time::{Duration, Instant};

use parley_media_rtc::*;
use str0m::media::{MediaKind as StrMediaKind, Mid};
use tokio::sync::mpsc;

use super::{Client, Sender, config};

/// Longest wait for something that must happen. Nothing measures it: a test that needs it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A room with its events, of which those taken are kept for looking at.
pub struct Scene {
    pub media: Media,
    pub room: RoomHandle,
    events: mpsc::Receiver<MediaEvent>,
    pub seen: Vec<MediaEvent>,
}

impl Scene {
    pub async fn open() -> Self {
        Self::open_with(config()).await
    }

    pub async fn open_with(config: MediaConfig) -> Self {
        Self::open_on(Media::start(config).unwrap()).await
    }

    pub async fn open_on(media: Media) -> Self {
        let (room, events) = media.open_room().await.unwrap();
        Self { media, room, events, seen: Vec::new() }
    }

    pub fn poll_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
    }

    /// Drives clients and events until `done`, or fails saying `what`.
    pub async fn until(
        &mut self,
        clients: &mut [&mut Client],
        what: &str,
        mut done: impl FnMut(&mut Self, &mut [&mut Client]) -> bool,
    ) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.poll_events();
            for client in clients.iter_mut() {
                client.step();
            }
            if done(self, clients) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for: {what}; events: {:?}", self.seen);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Takes the first event seen that fits, waiting for it.
    pub async fn event<T>(
        &mut self,
        clients: &mut [&mut Client],
        what: &str,
        fits: impl Fn(&MediaEvent) -> Option<T>,
    ) -> T {
        let mut found = None;
        self.until(clients, what, |scene, _| {
            let place = scene.seen.iter().position(|event| fits(event).is_some());
            if let Some(place) = place {
                let event = scene.seen.remove(place);
                found = fits(&event);
            }
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Joins in protocol v1 and connects, with so many receiving sections.
    pub async fn join(&mut self, key: u64, client: &mut Client, audio: u32, video: u32) {
        self.room.join(ParticipantKey(key), PeerMode::Single).await.unwrap();
        let offer = client.offer_v1(audio, video);
        let answer = self.room.offer(ParticipantKey(key), offer).await.unwrap();
        client.accept(&answer.sdp);
        self.until(&mut [client], "connection", |_, clients| {
            clients[0].connected && clients[0].channels.len() == 3
        })
        .await;
        self.event(&mut [client], "connected", |event| match event {
            MediaEvent::ConnectionState { participant, state: ConnectionState::Connected, .. }
                if *participant == ParticipantKey(key) =>
            {
                Some(())
            }
            _ => None,
        })
        .await;
    }

    /// Declares and negotiates a track; returns its section.
    pub async fn publish(
        &mut self,
        participant: u64,
        client: &mut Client,
        spec: TrackSpec,
        rids: &[&str],
    ) -> Mid {
        let kind = match spec.kind {
            MediaKind::Audio => StrMediaKind::Audio,
            MediaKind::Video => StrMediaKind::Video,
        };
        let cid = spec.cid.clone();
        self.room.declare_track(ParticipantKey(participant), spec).await.unwrap();
        let (offer, mid) = client.publish_offer(kind, &cid, rids);
        let answer = self.room.offer(ParticipantKey(participant), offer).await.unwrap();
        client.accept(&answer.sdp);
        mid
    }

    /// Offers again as the server asked; returns what the answer shows.
    pub async fn reoffer(&mut self, key: u64, client: &mut Client) -> Answer {
        let (audio, video) = self
            .event(&mut [client], "sections required", |event| match event {
                MediaEvent::SectionsRequired { participant, audio, video }
                    if *participant == ParticipantKey(key) =>
                {
                    Some((*audio, *video))
                }
                _ => None,
            })
            .await;
        let offer = client.offer_v1(audio, video);
        let answer = self.room.offer(ParticipantKey(key), offer).await.unwrap();
        client.accept(&answer.sdp);
        answer
    }

    pub async fn stop(self) {
        self.room.close().await;
        self.media.shutdown(Duration::from_secs(10)).await;
    }
}

impl Scene {
    /// Sends until the tracks have started, takes the events that say so.
    pub async fn start_tracks(&mut self, client: &mut Client, sender: &mut Sender, tracks: &[u64]) {
        for key in tracks {
            let mut started = false;
            self.until(&mut [client], "start of a track", |scene, clients| {
                sender.send(clients[0]);
                let is = |event: &MediaEvent| {
                    matches!(event, MediaEvent::TrackStarted { track, .. } if *track == TrackKey(*key))
                };
                started |= scene.seen.iter().any(is);
                started
            })
            .await;
        }
        self.seen.retain(|event| !matches!(event, MediaEvent::TrackStarted { .. }));
    }

    /// Sends until a section of the receiver got `count` packets more.
    pub async fn receive(
        &mut self,
        from: &mut Client,
        sender: &mut Sender,
        to: &mut Client,
        mid: &str,
        count: usize,
    ) {
        let had = to.got.get(mid).map_or(0, |got| got.sequences.len());
        self.until(&mut [from, to], "packets", |_, clients| {
            sender.send(clients[0]);
            clients[1].got.get(mid).is_some_and(|got| got.sequences.len() >= had + count)
        })
        .await;
    }
}
