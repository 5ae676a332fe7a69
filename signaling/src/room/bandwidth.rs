//! The bound on what a client sends, told in the answers to its offers (RFC 8866, section 5.8).

/// Bounds every video section of an answer on which the server receives. `b=TIAS` (RFC 3890) is what
/// Firefox reads, `b=AS` what all know; browsers spread it over the layers of the section.
pub(super) fn bounded(answer: &str, kbps: u32) -> String {
    let mut out = String::with_capacity(answer.len() + 256);
    let mut section: Vec<&str> = Vec::new();
    for line in answer.lines() {
        if line.starts_with("m=") {
            write(&mut out, &section, kbps);
            section.clear();
        }
        section.push(line);
    }
    write(&mut out, &section, kbps);
    out
}

fn write(out: &mut String, section: &[&str], kbps: u32) {
    let video = section.first().is_some_and(|line| line.starts_with("m=video "));
    let received = section.iter().any(|line| matches!(*line, "a=recvonly" | "a=sendrecv"));
    // After c= if it is there, else after m=; before all attributes.
    let place = match section.get(1) {
        Some(line) if line.starts_with("c=") => 1,
        _ => 0,
    };
    for (index, line) in section.iter().enumerate() {
        out.push_str(line);
        out.push_str("\r\n");
        if video && received && index == place {
            out.push_str(&format!("b=AS:{kbps}\r\nb=TIAS:{}\r\n", u64::from(kbps) * 1_000));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_received_pictures_are_bounded() {
        let answer = "v=0\r\ns=-\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=recvonly\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=sendrecv\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:3\r\na=sendonly\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:4\r\n";
        let bounded = bounded(answer, 500);
        assert!(
            bounded.contains("c=IN IP4 0.0.0.0\r\nb=AS:500\r\nb=TIAS:500000\r\na=mid:1\r\n"),
            "{bounded}"
        );
        assert!(bounded.contains("SAVPF 96\r\nb=AS:500\r\nb=TIAS:500000\r\na=mid:2\r\n"), "{bounded}");
        assert_eq!(bounded.matches("b=AS").count(), 2);
        assert_eq!(bounded.replace("b=AS:500\r\nb=TIAS:500000\r\n", ""), answer);
    }
}
