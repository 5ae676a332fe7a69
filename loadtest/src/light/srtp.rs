//! SRTP with AES-GCM (RFC 3711, RFC 7714): opening media in place, sealing and opening reports.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use str0m::{config::CryptoProvider, crypto::dtls::SrtpProfile};

use super::keys::Keys;

const SALT_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;
/// First header of a compound RTCP packet, which stays in the clear.
const RTCP_HEADER_BYTES: usize = 8;
const INDEX_BYTES: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

// Labels of the key derivation (RFC 3711, section 4.3.2).
const RTP_KEY: u8 = 0;
const RTP_SALT: u8 = 2;
const RTCP_KEY: u8 = 3;
const RTCP_SALT: u8 = 5;

struct Direction {
    key: LessSafeKey,
    salt: [u8; SALT_BYTES],
}

/// The keys of one connection, as far as a receiver needs them.
pub(crate) struct Srtp {
    media_in: Direction,
    reports_in: Direction,
    reports_out: Direction,
    /// Of the next report.
    index: u32,
}

impl Srtp {
    /// `None` for a profile other than AES-GCM.
    pub(crate) fn new(provider: &CryptoProvider, keys: &Keys) -> Option<Self> {
        let (algorithm, bytes) = match keys.profile {
            SrtpProfile::AEAD_AES_256_GCM => (&AES_256_GCM, 32),
            SrtpProfile::AEAD_AES_128_GCM => (&AES_128_GCM, 16),
            _ => return None,
        };
        let material = keys.material.get(..2 * (bytes + SALT_BYTES))?;
        let (masters, salts) = material.split_at(2 * bytes);
        // The server's part is what a client receives with, and the other way round.
        let part = |own: bool| usize::from(own != keys.client);
        let direction = |own: bool, key: u8, salt: u8| {
            let part = part(own);
            let master = &masters[part * bytes..(part + 1) * bytes];
            let master_salt = &salts[part * SALT_BYTES..(part + 1) * SALT_BYTES];
            Direction::derive(provider, algorithm, master, master_salt, key, salt)
        };
        Some(Self {
            media_in: direction(false, RTP_KEY, RTP_SALT)?,
            reports_in: direction(false, RTCP_KEY, RTCP_SALT)?,
            reports_out: direction(true, RTCP_KEY, RTCP_SALT)?,
            index: 0,
        })
    }

    /// Decrypts a media packet in place: `header` bytes stay, the payload is returned. `number` is the sequence
    /// number with its rollover count.
    pub(crate) fn open<'a>(
        &self,
        packet: &'a mut [u8],
        header: usize,
        ssrc: u32,
        number: u64,
    ) -> Option<&'a [u8]> {
        let mut nonce = [0; SALT_BYTES];
        nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
        nonce[6..].copy_from_slice(&number.to_be_bytes()[2..]);
        let (head, rest) = packet.split_at_mut_checked(header)?;
        let opened = self.media_in.key.open_in_place(self.media_in.nonce(nonce), Aad::from(&*head), rest);
        opened.ok().map(|payload| &*payload)
    }

    /// Decrypts a compound report; `None` when it is not from the server.
    pub(crate) fn open_report(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let index_at = packet.len().checked_sub(INDEX_BYTES)?;
        if index_at < RTCP_HEADER_BYTES + TAG_BYTES {
            return None;
        }
        let (body, index) = packet.split_at(index_at);
        let word = u32::from_be_bytes(index.try_into().ok()?);
        let (head, rest) = body.split_at(RTCP_HEADER_BYTES);
        let nonce = self.reports_in.report_nonce(head, word & !ENCRYPTED);
        let mut sealed = rest.to_vec();
        let aad = [head, index].concat();
        let opened = self.reports_in.key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?;
        Some([head, opened].concat())
    }

    /// Encrypts a compound report that begins with a header of at least 8 bytes.
    pub(crate) fn seal_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        let (head, rest) = report.split_at_checked(RTCP_HEADER_BYTES)?;
        self.index = (self.index + 1) & !ENCRYPTED;
        let word = (self.index | ENCRYPTED).to_be_bytes();
        let nonce = self.reports_out.report_nonce(head, self.index);
        let aad = [head, &word].concat();
        let mut sealed = rest.to_vec();
        self.reports_out.key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).ok()?;
        Some([head, &sealed, &word].concat())
    }
}

impl Direction {
    fn derive(
        provider: &CryptoProvider,
        algorithm: &'static Algorithm,
        master: &[u8],
        master_salt: &[u8],
        key_label: u8,
        salt_label: u8,
    ) -> Option<Self> {
        let mut key = vec![0; master.len()];
        let mut salt = [0; SALT_BYTES];
        expand(provider, master, master_salt, key_label, &mut key);
        expand(provider, master, master_salt, salt_label, &mut salt);
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).ok()?);
        Some(Self { key, salt })
    }

    fn nonce(&self, mut nonce: [u8; SALT_BYTES]) -> Nonce {
        for (byte, salt) in nonce.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// RFC 7714, section 9.1.
    fn report_nonce(&self, head: &[u8], index: u32) -> Nonce {
        let mut nonce = [0; SALT_BYTES];
        nonce[2..6].copy_from_slice(&head[4..8]);
        nonce[8..].copy_from_slice(&index.to_be_bytes());
        self.nonce(nonce)
    }
}

/// The AES counter mode key derivation (RFC 3711, section 4.3.3) with a derivation rate of 0.
fn expand(provider: &CryptoProvider, master: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut input = [0; 16];
    input[..salt.len()].copy_from_slice(salt);
    input[7] ^= label;
    for (round, chunk) in out.chunks_mut(16).enumerate() {
        input[14..].copy_from_slice(&u16::try_from(round).unwrap_or(u16::MAX).to_be_bytes());
        // The providers write a padding block behind.
        let mut block = [0; 32];
        if master.len() == 16 {
            provider.srtp_provider.srtp_aes_128_ecb_round(master, &input, &mut block);
        } else {
            provider.srtp_provider.srtp_aes_256_ecb_round(master, &input, &mut block);
        }
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711, appendix B.3.
    #[test]
    fn keys_are_derived_as_the_rfc_says() {
        let master =
            [0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39];
        let salt = [0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6];
        let mut key = [0; 16];
        expand(&str0m::crypto::from_feature_flags(), &master, &salt, RTP_KEY, &mut key);
        assert_eq!(key[..4], [0xc6, 0x1e, 0x7a, 0x93]);
        assert_eq!(key[12..], [0x3f, 0xf7, 0xa0, 0x87]);
    }

    fn pair() -> (Srtp, Srtp) {
        let provider = str0m::crypto::from_feature_flags();
        let keys =
            |client| Keys { material: (0..88).collect(), profile: SrtpProfile::AEAD_AES_256_GCM, client };
        (Srtp::new(&provider, &keys(true)).unwrap(), Srtp::new(&provider, &keys(false)).unwrap())
    }

    #[test]
    fn reports_pass_between_both_ends_and_no_changed_ones() {
        let (mut client, server) = pair();
        let report: Vec<u8> = (0..32).collect();
        let sealed = client.seal_report(&report).unwrap();
        assert_eq!(server.open_report(&sealed).unwrap(), report);
        assert!(client.open_report(&sealed).is_none(), "own reports are not the server's");
        for place in [0, 9, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(server.open_report(&changed).is_none());
        }
        assert!(server.open_report(&sealed[..20]).is_none());
    }
}
