//! Hears the SRTP keys that a DTLS handshake yields, by standing between str0m and its DTLS.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
    time::Instant,
};

use str0m::{
    config::{CryptoProvider, DtlsCert, DtlsVersion},
    crypto::{
        CryptoError,
        dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile},
    },
};

/// What a handshake has agreed on (RFC 5764, section 4.2).
#[derive(Debug)]
pub(crate) struct Keys {
    /// Keys of client and server, then salts of client and server.
    pub(crate) material: Vec<u8>,
    pub(crate) profile: SrtpProfile,
    /// This side was the DTLS client.
    pub(crate) client: bool,
}

/// Empty until the handshake is done.
pub(crate) type SharedKeys = Arc<OnceLock<Keys>>;

thread_local! {
    /// Of the connection that this thread has built last.
    static BUILT: RefCell<Option<SharedKeys>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Tap {
    inner: &'static dyn DtlsProvider,
}

#[derive(Debug)]
struct Tapped {
    inner: Box<dyn DtlsInstance>,
    keys: SharedKeys,
}

/// The provider with a DTLS that tells its keys. Call once for a process: the provider is never freed.
pub(crate) fn tapped(mut provider: CryptoProvider) -> CryptoProvider {
    let tap: &'static Tap = Box::leak(Box::new(Tap { inner: provider.dtls_provider }));
    provider.dtls_provider = tap;
    provider
}

/// Where the keys of the connection that was just built on this thread will be.
pub(crate) fn of_last_built() -> Option<SharedKeys> {
    BUILT.take()
}

impl DtlsProvider for Tap {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.inner.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        dtls_version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = self.inner.new_dtls(cert, now, dtls_version, mtu)?;
        let keys = SharedKeys::default();
        BUILT.set(Some(Arc::clone(&keys)));
        Ok(Box::new(Tapped { inner, keys }))
    }

    fn is_test(&self) -> bool {
        self.inner.is_test()
    }
}

impl DtlsInstance for Tapped {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let client = self.inner.is_active();
            // A connection has one handshake; of a second one the keys stay the first's.
            self.keys.get_or_init(|| Keys { material: material.to_vec(), profile: *profile, client });
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}
