use super::*;
use proptest::prelude::*;

/// The shape of a Chromium client's offer: receiving sections made at join, data, a
/// simulcast camera and a microphone published later.
const OFFER: &str = "v=0\r\n\
o=- 4611731400430051336 3 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0 1 2 3 4\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS stream\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n\
c=IN IP4 0.0.0.0\r\n\
a=candidate:1 1 udp 2113937151 0b6d.local 50000 typ host\r\n\
a=mid:0\r\n\
a=recvonly\r\n\
a=rtpmap:111 opus/48000/2\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
a=mid:1\r\n\
a=recvonly\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
a=mid:2\r\n\
a=sctp-port:5000\r\n\
m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n\
a=mid:3\r\n\
a=bundle-only\r\n\
a=sendonly\r\n\
a=msid:- camera-track\r\n\
a=rid:q send\r\n\
a=rid:h send\r\n\
a=rid:f send\r\n\
a=simulcast:send q;h;f\r\n\
m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n\
a=mid:5\r\n\
a=sendonly\r\n\
a=ssrc:77 cname:x\r\n\
a=ssrc:77 msid:stream microphone-track\r\n";

/// What the state machine answers to such an offer, shortened.
const ANSWER: &str = "v=0\r\n\
o=str0m-0.25.0 1 2 IN IP4 0.0.0.0\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0 1 2\r\n\
a=msid-semantic: WMS abc def\r\n\
a=ice-lite\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
a=mid:0\r\n\
a=sendonly\r\n\
a=msid:abc xyz\r\n\
a=ssrc:1 cname:xyz\r\n\
a=ssrc:1 msid:abc xyz\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
a=mid:1\r\n\
a=sendonly\r\n\
a=msid:def uvw\r\n\
a=ssrc:2 cname:uvw\r\n\
a=ssrc:2 msid:def uvw\r\n\
a=ssrc:3 cname:uvw\r\n\
a=ssrc:3 msid:def uvw\r\n\
a=ssrc-group:FID 2 3\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
a=mid:2\r\n\
a=sctp-port:5000\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
a=mid:3\r\n\
a=recvonly\r\n\
a=msid:ghi rst\r\n\
a=rid:q recv\r\n\
a=simulcast:recv q\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
a=mid:5\r\n\
a=sendrecv\r\n\
a=msid:jkl opq\r\n\
a=ssrc:9 cname:opq\r\n";

#[test]
fn reads_what_a_browser_offers() {
    let sections = sections(OFFER).unwrap();
    assert_eq!(sections.iter().map(|s| s.mid.as_str()).collect::<Vec<_>>(), ["0", "1", "2", "3", "5"]);
    assert_eq!(sections[0].direction, Direction::RecvOnly);
    assert_eq!(sections[0].kind, SectionKind::Media(MediaKind::Audio));
    assert_eq!(sections[2].kind, SectionKind::Data);
    let camera = &sections[3];
    assert!(camera.direction.sends() && !camera.rejected, "port 0 in the bundle is not a refusal");
    assert_eq!(camera.track_id.as_deref(), Some("camera-track"));
    assert_eq!(camera.rids, ["q", "h", "f"]);
    let microphone = &sections[4];
    assert!(microphone.rejected, "port 0 outside the bundle is a refusal");
    assert_eq!(microphone.track_id.as_deref(), Some("microphone-track"));
}

#[test]
fn refuses_what_is_out_of_bounds() {
    let section = |mid: &str| format!("m=audio 9 RTP 111\r\na=mid:{mid}\r\n");
    assert_eq!(sections(""), Err(SdpFault::Empty));
    assert_eq!(sections("hello"), Err(SdpFault::Empty));
    assert_eq!(sections(&" ".repeat(SDP_BYTES_MAX + 1)), Err(SdpFault::TooLong));
    assert_eq!(sections(&"x".repeat(LINE_BYTES_MAX + 1)), Err(SdpFault::LongLine));
    assert_eq!(sections("m=text 9 RTP 1\r\n"), Err(SdpFault::UnknownKind));
    assert_eq!(sections("m=audio 9 RTP 111\r\n"), Err(SdpFault::Mid));
    assert_eq!(sections(&(section("1") + &section("1"))), Err(SdpFault::Mid));
    assert_eq!(sections(&section(&"9".repeat(MID_BYTES_MAX + 1))), Err(SdpFault::Mid));
    let many: String = (0..=SECTIONS_MAX).map(|mid| section(&mid.to_string())).collect();
    assert_eq!(sections(&many), Err(SdpFault::TooManySections));
    let layers: String = (0..=RIDS_MAX).map(|rid| format!("a=rid:{rid} send\r\n")).collect();
    assert_eq!(sections(&(section("1") + &layers)), Err(SdpFault::TooManyRids));
}

#[test]
fn candidates_rise_above_those_of_before_and_udp_above_tcp() {
    let own = "v=0\r\na=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host\r\n\
               a=candidate:2 1 tcp 1518280447 192.0.2.1 7883 typ host tcptype passive\r\na=mid:0\r\n";
    let priorities = |restarts| {
        let ranked = rank_candidates(own, restarts);
        assert_eq!(ranked.lines().count(), 4);
        assert!(ranked.contains(" 192.0.2.1 7883 typ host tcptype passive\r\na=mid:0\r\n"));
        let lines = ranked.lines().filter(|line| line.starts_with("a=candidate:"));
        let fields = lines.map(|line| line.split(' ').nth(3).unwrap().parse::<u32>().unwrap());
        <[u32; 2]>::try_from(fields.collect::<Vec<_>>()).unwrap()
    };
    let mut before = 0;
    for restarts in [0, 1, 2, 1_000, 0x7fff] {
        let [udp, tcp] = priorities(restarts);
        assert!(before < tcp && tcp < udp && udp < 80 << 24, "{restarts}: {before} {tcp} {udp}");
        before = udp;
    }
    assert_eq!(priorities(u16::MAX), priorities(0x7fff));
    let odd = "a=candidate:x\r\na=candidate:1 1 udp high 192.0.2.1 1 typ host\r\n";
    assert_eq!(rank_candidates(odd, 1), odd);
}

#[test]
fn candidates_are_left_out_and_nothing_else() {
    let cleaned = without_candidates(OFFER);
    assert!(!cleaned.contains("candidate"));
    assert_eq!(cleaned.lines().count() + 1, OFFER.lines().count());
    assert_eq!(sections(&cleaned), sections(OFFER));
}

#[test]
fn answer_names_what_is_shown_and_silences_the_rest() {
    let rewritten = rewrite(ANSWER, |mid| match mid {
        "1" => Role::Shows { stream: "PA_a|TR_b".into(), track: "TR_b".into() },
        "0" | "5" => Role::Idle,
        _ => Role::Other,
    });
    let expected = ANSWER
        .replace("WMS abc def", "WMS *")
        .replace(
            "a=sendonly\r\na=msid:abc xyz\r\na=ssrc:1 cname:xyz\r\na=ssrc:1 msid:abc xyz\r\n",
            "a=inactive\r\na=ssrc:1 cname:xyz\r\n",
        )
        .replace("def uvw", "PA_a|TR_b TR_b")
        .replace("a=msid:ghi rst\r\n", "")
        .replace(
            "a=sendrecv\r\na=msid:jkl opq\r\na=ssrc:9 cname:opq\r\n",
            "a=recvonly\r\na=ssrc:9 cname:opq\r\n",
        );
    assert_eq!(rewritten, expected);
}

#[test]
fn the_codec_wished_for_comes_first() {
    let answer = "v=0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101\r\n\
        a=mid:3\r\n\
        a=recvonly\r\n\
        a=msid:x y\r\n\
        a=rtpmap:96 VP8/90000\r\n\
        a=rtpmap:97 rtx/90000\r\n\
        a=fmtp:97 apt=96\r\n\
        a=rtpmap:98 VP9/90000\r\n\
        a=fmtp:98 profile-id=0\r\n\
        a=rtpmap:99 rtx/90000\r\n\
        a=fmtp:99 apt=98\r\n\
        a=rtpmap:100 VP9/90000\r\n\
        a=rtpmap:101 rtx/90000\r\n\
        a=fmtp:101 apt=100\r\n";
    let take = |codec: &str| rewrite(answer, |_| Role::Takes { codec: codec.to_owned() });
    let expected = answer.replace("96 97 98 99 100 101", "98 99 100 101 96 97").replace("a=msid:x y\r\n", "");
    assert_eq!(take("video/vp9"), expected);
    let unknown = answer.replace("a=msid:x y\r\n", "");
    assert_eq!(take("video/H266"), unknown);
    assert_eq!(take(""), unknown);
}

#[test]
fn the_dependency_descriptor_is_for_av1() {
    let line = format!("a=extmap:12 {}\r\n", crate::descriptor::URI);
    let answer = format!("m=video 9 UDP/TLS/RTP/SAVPF 45\r\na=mid:3\r\n{line}a=rtpmap:45 AV1/90000\r\n");
    let has = |role: Role| rewrite(&answer, |_| role.clone()).contains(&line);
    assert!(has(Role::Takes { codec: "video/AV1".into() }) && has(Role::Idle));
    assert!(!has(Role::Takes { codec: "video/VP8".into() }) && !has(Role::Other));
}

#[test]
fn ids_cannot_add_lines() {
    assert_eq!(token("PA_abc|TR_x"), "PA_abc|TR_x");
    assert_eq!(token("a\r\na=evil:1 2"), "aaevil12");
    assert_eq!(token(&"x".repeat(1000)).len(), 128);
}

proptest! {
    #[test]
    fn any_text_is_read_and_rewritten_without_panic(text in "(m=(audio|video|application) [0-9]{1,2} [a-z]*\r\n|a=(mid|rid|msid|ssrc|candidate):?[ -~]{0,20}\r\n|a=(sendonly|recvonly)\r\n|[^\r]{0,10}\n){0,40}") {
        let _ = sections(&text);
        let _ = without_candidates(&text);
        let idle = rewrite(&text, |_| Role::Idle);
        prop_assert!(!idle.lines().any(|line| line == "a=sendonly" && text.starts_with("m=")));
    }

    #[test]
    fn rewriting_twice_changes_nothing_more(stream in "[!-~]{1,20}", track in "[!-~]{1,20}") {
        let role = |mid: &str| match mid {
            "0" => Role::Shows { stream: token(&stream), track: token(&track) },
            "1" => Role::Idle,
            _ => Role::Other,
        };
        let once = rewrite(ANSWER, role);
        prop_assert_eq!(rewrite(&once, role), once);
    }
}
