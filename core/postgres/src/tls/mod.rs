//! TLS with libpq's promises, see
//! [Secure TCP/IP Connections](https://www.postgresql.org/docs/current/libpq-ssl.html).
//!
//! When to use TLS is decided in `connect`; here is what is checked: nothing, the chain of certificates, or the
//! chain and the host's name.

mod certificate;
mod verify;

use crate::conninfo::{SslMode, SslNegotiation, TlsOptions, TlsVersion};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;
use verify::{ServerCheck, Trust};

/// Why TLS can't be set up on pghaul's side.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key file that can't be read as PEM.
    #[error("{} holds no {content} in PEM form", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        content: &'static str,
        /// What the reader said.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// An encrypted key.
    #[error("the key in {} is encrypted, which is not supported", file.display())]
    EncryptedKey {
        /// The file.
        file: PathBuf,
    },
    /// `sslrootcert=system` on a system without certificates.
    #[error("this system has no trusted root certificates")]
    NoSystemRoots,
    /// The name can't be that of a server.
    #[error("`{name}` can't be a host name in a certificate")]
    HostName {
        /// The name.
        name: String,
    },
    /// What rustls refuses.
    #[error("TLS can't be set up")]
    Rustls(#[from] rustls::Error),
}

/// The TLS parameters with their files read; makes one connector per host.
#[derive(Clone)]
pub(crate) struct Tls {
    options: TlsOptions,
    trust: Arc<Trust>,
    client: Option<(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>)>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let trust = match (&options.root_file, options.mode) {
            _ if options.system_roots => Trust::Roots(system_roots()?),
            (Some(file), mode) if mode >= SslMode::Require => Trust::Roots(certificates(file)?),
            // `allow` and `prefer` promise nothing; encryption with a stranger is better than none.
            _ => Trust::Anyone,
        };
        let client = match &options.client {
            None => None,
            Some((certificate, key)) => Some((certificates(certificate)?, Arc::new(private_key(key)?))),
        };
        Ok(Self {
            options: options.clone(),
            trust: Arc::new(trust),
            client,
        })
    }

    pub(crate) fn mode(&self) -> SslMode {
        self.options.mode
    }

    pub(crate) fn negotiation(&self) -> SslNegotiation {
        self.options.negotiation
    }

    /// A connector for a host. `name` is the one that the user gave; without one only the chain can be checked.
    pub(crate) fn connector(&self, name: Option<&str>) -> Result<MakeRustlsConnect, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: Vec<&'static rustls::SupportedProtocolVersion> = [
            (TlsVersion::V13, &rustls::version::TLS13),
            (TlsVersion::V12, &rustls::version::TLS12),
        ]
        .into_iter()
        .filter(|(version, _)| (self.options.min_version..=self.options.max_version).contains(version))
        .map(|(_, supported)| supported)
        .collect();
        let check = ServerCheck {
            trust: Arc::clone(&self.trust),
            roots: self.root_store(),
            host: match self.options.mode {
                SslMode::VerifyFull => Some(name.unwrap_or_default().to_owned()),
                _ => None,
            },
            algorithms: provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(check));
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
        };
        config.enable_sni = self.options.sni;
        if self.options.negotiation == SslNegotiation::Direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }

    fn root_store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        if let Trust::Roots(roots) = self.trust.as_ref() {
            store.add_parsable_certificates(roots.iter().cloned());
        }
        store
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |source| TlsError::Pem {
        file: file.to_owned(),
        content: "certificate",
        source,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(problem)?.collect();
    let found = found.map_err(problem)?;
    if found.is_empty() {
        return Err(problem(rustls_pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| {
        let encrypted = std::fs::read_to_string(file).is_ok_and(|text| text.contains("ENCRYPTED"));
        let file = file.to_owned();
        if encrypted {
            TlsError::EncryptedKey { file }
        } else {
            TlsError::Pem {
                file,
                content: "private key",
                source,
            }
        }
    })
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        Err(TlsError::NoSystemRoots)
    } else {
        Ok(found)
    }
}
