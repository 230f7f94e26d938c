//! Whether to believe a server's certificate.
//!
//! webpki decides where it can. It refuses two kinds of certificates that libpq accepts and that are common with
//! PostgreSQL, because its documentation tells how to make them: a self-signed server certificate that is its own
//! root, and X.509 version 1. For those the rules are written out here.

use super::certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use std::sync::Arc;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

/// Whom we trust.
#[derive(Debug)]
pub(super) enum Trust {
    /// Everybody: the connection is encrypted, and who is at the other end is not known.
    Anyone,
    /// Who has a certificate of these, or one that these have signed.
    Roots(Vec<CertificateDer<'static>>),
}

/// The check of one server.
#[derive(Debug)]
pub(super) struct ServerCheck {
    pub(super) trust: Arc<Trust>,
    pub(super) roots: RootCertStore,
    /// The name that the certificate must have, when it matters.
    pub(super) host: Option<String>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Roots(roots) = self.trust.as_ref() else {
            return Ok(ServerCertVerified::assertion());
        };
        let parsed = Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let is_root = roots.iter().any(|root| root.as_ref() == end_entity.as_ref());
        if is_root {
            check_validity(&parsed, now)?;
        } else if parsed.tbs_certificate.version == x509_cert::Version::V1 {
            self.check_version_1(&parsed, roots, now)?;
        } else {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            rustls::client::verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        match &self.host {
            Some(host) if !certificate::is_for_host(&parsed, host) => {
                Err(CertificateError::NotValidForName.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_handshake(message, cert, dss, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_handshake(message, cert, dss, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCheck {
    /// A version 1 certificate says nothing about its uses; it counts when a trusted root itself signed it.
    fn check_version_1(
        &self,
        certificate: &Certificate,
        roots: &[CertificateDer<'static>],
        now: UnixTime,
    ) -> Result<(), Error> {
        check_validity(certificate, now)?;
        let signed = certificate
            .tbs_certificate
            .to_der()
            .map_err(|_| CertificateError::BadEncoding)?;
        let algorithm = certificate
            .signature_algorithm
            .to_der()
            .map_err(|_| CertificateError::BadEncoding)?;
        let signature = certificate.signature.raw_bytes();
        let issued = roots
            .iter()
            .filter_map(|root| Certificate::from_der(root).ok())
            .any(|root| {
                let issuer = &root.tbs_certificate;
                issuer.subject == certificate.tbs_certificate.issuer
                    && check_validity(&root, now).is_ok()
                    && self.is_signed(&issuer.subject_public_key_info, (&algorithm, &signed, signature))
            });
        if issued {
            Ok(())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    /// Whether the signature over the bytes, made with the algorithm (an `AlgorithmIdentifier` in DER), is of the
    /// key.
    fn is_signed(
        &self,
        key: &x509_cert::spki::SubjectPublicKeyInfoOwned,
        (algorithm, signed, signature): (&[u8], &[u8], &[u8]),
    ) -> bool {
        let Ok(key_algorithm) = key.algorithm.to_der() else {
            return false;
        };
        self.algorithms.all.iter().any(|candidate| {
            contents(algorithm) == Some(candidate.signature_alg_id().as_ref())
                && contents(&key_algorithm) == Some(candidate.public_key_alg_id().as_ref())
                && candidate
                    .verify_signature(key.subject_public_key.raw_bytes(), signed, signature)
                    .is_ok()
        })
    }

    /// That the server has the certificate's key.
    fn check_handshake(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let parsed = Certificate::from_der(cert).map_err(|_| CertificateError::BadEncoding)?;
        if parsed.tbs_certificate.version != x509_cert::Version::V1 {
            return match tls13 {
                true => rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms),
                false => rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms),
            };
        }
        let key = &parsed.tbs_certificate.subject_public_key_info;
        if tls13 {
            let der = key.to_der().map_err(|_| CertificateError::BadEncoding)?;
            let key = SubjectPublicKeyInfoDer::from(der);
            return rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms);
        }
        let candidates = self
            .algorithms
            .mapping
            .iter()
            .filter(|(scheme, _)| *scheme == dss.scheme);
        let bytes = key.subject_public_key.raw_bytes();
        let key_algorithm = key
            .algorithm
            .to_der()
            .map_err(|_| CertificateError::BadEncoding)?;
        let valid = candidates
            .flat_map(|(_, algorithms)| algorithms.iter())
            .any(|candidate| {
                contents(&key_algorithm) == Some(candidate.public_key_alg_id().as_ref())
                    && candidate
                        .verify_signature(bytes, message, dss.signature())
                        .is_ok()
            });
        if valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }
}

/// The contents of a sequence shorter than 128 bytes: webpki's algorithm identifiers come without tag and length.
fn contents(der: &[u8]) -> Option<&[u8]> {
    der.get(2..)
        .filter(|contents| der.get(1).map(|length| usize::from(*length)) == Some(contents.len()))
}

fn check_validity(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    if certificate::is_valid_at(certificate, now.as_secs()) {
        Ok(())
    } else {
        Err(CertificateError::Expired.into())
    }
}
