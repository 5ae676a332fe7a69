//! Offers recorded of livekit-client 2.23 in Chromium and of LiveKit's Python SDK 1.2, each a session
//! of its own: join, publish, take back.

#![allow(clippy::unwrap_used)]

mod support;

use parley_media_rtc::*;
use support::*;

/// One section of an answer.
#[derive(Debug)]
struct Section<'a> {
    mid: &'a str,
    media: &'a str,
    lines: Vec<&'a str>,
}

impl Section<'_> {
    fn has(&self, line: &str) -> bool {
        self.lines.contains(&line)
    }

    fn first_codec(&self) -> &str {
        let pt = self.media.split(' ').nth(3).unwrap();
        let prefix = format!("a=rtpmap:{pt} ");
        self.lines.iter().find_map(|line| line.strip_prefix(prefix.as_str())).unwrap()
    }
}

fn sections(sdp: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(Section { mid: "", media: line, lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
            section.mid = line.strip_prefix("a=mid:").unwrap_or(section.mid);
        }
    }
    sections
}

/// The client's id of a track in the section with this mid.
fn cid(offer: &str, mid: &str) -> String {
    let section = sections(offer).into_iter().find(|section| section.mid == mid).unwrap();
    let msid = section.lines.iter().find_map(|line| line.strip_prefix("a=msid:")).unwrap();
    msid.split(' ').nth(1).unwrap().to_owned()
}

struct Session {
    scene: Scene,
    key: ParticipantKey,
}

impl Session {
    async fn begin() -> Self {
        let scene = Scene::open().await;
        let key = ParticipantKey(1);
        scene.room.join(key, PeerMode::Single).await.unwrap();
        Self { scene, key }
    }

    async fn offer(&self, sdp: &str) -> String {
        let answer = self.scene.room.offer(self.key, sdp.to_owned()).await.unwrap();
        assert!(answer.mid_to_track.is_empty(), "nobody else is there");
        answer.sdp
    }

    async fn declare(&self, key: u64, kind: MediaKind, cid: String, codec: Option<&str>) {
        let spec = TrackSpec { codec: codec.map(str::to_owned), ..track(key, &cid, kind) };
        self.scene.room.declare_track(self.key, spec).await.unwrap();
    }
}

/// What holds for each answer to somebody to whom nothing is sent.
fn check(offer: &str, answer: &str, publishing: &[&str]) {
    let (offered, answered) = (sections(offer), sections(answer));
    let mids = |sections: &[Section<'_>]| sections.iter().map(|s| s.mid.to_owned()).collect::<Vec<_>>();
    assert_eq!(mids(&offered), mids(&answered));
    assert!(answer.contains("a=ice-lite\r\n"));
    assert!(
        answered[0].lines.iter().any(|line| line.starts_with("a=candidate:") && line.contains("typ host"))
    );
    assert!(!answer.contains("a=msid:") && !answer.contains(" msid:"), "nothing is shown: {answer}");
    for section in &answered {
        if section.media.starts_with("m=application") {
            continue;
        }
        let direction = if publishing.contains(&section.mid) { "a=recvonly" } else { "a=inactive" };
        assert!(section.has(direction), "{}: {:?}", section.mid, section.lines);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_joins_publishes_and_publishes_again() {
    let session = Session::begin().await;
    let join = include_str!("offers/chromium-1-join.sdp");
    check(join, &session.offer(join).await, &[]);

    let publish = include_str!("offers/chromium-2-publish.sdp");
    session.declare(10, MediaKind::Video, cid(publish, "7"), Some("video/VP9")).await;
    session.declare(11, MediaKind::Audio, cid(publish, "8"), Some("audio/opus")).await;
    let answer = session.offer(publish).await;
    check(publish, &answer, &["7", "8"]);
    let answered = sections(&answer);
    let of = |mid: &str| answered.iter().find(|section| section.mid == mid).unwrap();
    assert_eq!(of("7").first_codec(), "VP9/90000");
    assert_eq!(of("8").first_codec(), "opus/48000/2");
    for rid in ["q", "h", "f"] {
        assert!(of("7").has(&format!("a=rid:{rid} recv")), "{:?}", of("7").lines);
    }

    let again = include_str!("offers/chromium-3-republish.sdp");
    session.declare(12, MediaKind::Video, cid(again, "9"), None).await;
    let mut session = session;
    let answer = session.offer(again).await;
    check(again, &answer, &["8", "9"]);
    let answered = sections(&answer);
    let last = answered.iter().find(|section| section.mid == "9").unwrap();
    assert_eq!(last.first_codec(), "VP8/90000");
    let ended = session
        .scene
        .event(&mut [], "the end of the first camera", |event| match event {
            MediaEvent::TrackEnded { track, .. } => Some(*track),
            _ => None,
        })
        .await;
    assert_eq!(ended, TrackKey(10));
    session.scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_turns_a_published_section_into_a_receiving_one() {
    let session = Session::begin().await;
    let join = include_str!("offers/python-1-join.sdp");
    check(join, &session.offer(join).await, &[]);
    let publish = include_str!("offers/python-2-publish.sdp");
    session.declare(10, MediaKind::Video, cid(publish, "7"), None).await;
    session.declare(11, MediaKind::Audio, cid(publish, "8"), None).await;
    let answer = session.offer(publish).await;
    check(publish, &answer, &["7", "8"]);
    let answered = sections(&answer);
    assert_eq!(answered.iter().find(|s| s.mid == "8").unwrap().first_codec(), "red/48000/2");

    let back = include_str!("offers/python-3-unpublish.sdp");
    let answer = session.offer(back).await;
    let answered = sections(&answer);
    let section = answered.iter().find(|section| section.mid == "7").unwrap();
    assert!(!section.lines.iter().any(|line| line.starts_with("a=ssrc")), "nothing is sent on it");
    session.scene.stop().await;
}
