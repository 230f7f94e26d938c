//! Signatures of anchors, in the format of `ssh-keygen -Y sign`.

use super::Anchor;
use pghaul_core::{Code, Failure};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use std::path::Path;

/// What a signature is for: one for something else does not count.
const NAMESPACE: &str = "pghaul-anchor";

/// Signs anchors.
pub(crate) struct Signer(PrivateKey);

impl Signer {
    /// Reads a private key.
    ///
    /// # Errors
    /// Where it can't be read, has a passphrase or is of another kind.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::new(Code::BadInput, format!("the key {} {why}", path.display()))
                .with_hint("make one with `ssh-keygen -t ed25519 -N '' -f anchor_key`, and keep it where only pghaul's user reads it")
        };
        let key = PrivateKey::read_openssh_file(path)
            .map_err(|error| refused("can't be read").with_cause(error))?;
        if key.is_encrypted() {
            return Err(refused("has a passphrase"));
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(refused("is no Ed25519 key"));
        }
        Ok(Self(key))
    }

    /// The anchor with its signature.
    ///
    /// # Errors
    /// Where the key can't sign.
    pub(crate) fn sign(&self, anchor: Anchor) -> Result<Anchor, Failure> {
        let failed = |error| Failure::new(Code::BadInput, "the anchor can't be signed").with_cause(error);
        let signature = self
            .0
            .sign(NAMESPACE, HashAlg::Sha512, anchor.signed_text().as_bytes())
            .map_err(failed)?;
        let signature = Some(signature.to_pem(LineEnding::LF).map_err(failed)?);
        Ok(Anchor { signature, ..anchor })
    }
}

/// Verifies signatures of anchors.
pub(crate) struct Verifier(PublicKey);

impl Verifier {
    /// Reads a public key.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        PublicKey::read_openssh_file(path).map(Self).map_err(|error| {
            Failure::new(
                Code::BadInput,
                format!("the key {} can't be read", path.display()),
            )
            .with_cause(error)
            .with_hint("name the public key, such as anchor_key.pub")
        })
    }

    /// Whether an anchor is as the key's owner has signed it.
    ///
    /// # Errors
    /// [`Code::JournalDamaged`] where it is not.
    pub(crate) fn verify(&self, anchor: &Anchor) -> Result<(), Failure> {
        let refused = |why: &str| {
            Failure::new(Code::JournalDamaged, format!("the anchor {} {why}", anchor.head)).with_hint(
                "see who could write the file of anchors, and get it from a place that he can't reach",
            )
        };
        let Some(signature) = &anchor.signature else {
            return Err(refused("is not signed"));
        };
        let verified = SshSig::from_pem(signature).and_then(|signature| {
            self.0
                .verify(NAMESPACE, anchor.signed_text().as_bytes(), &signature)
        });
        verified.map_err(|error| refused("is not signed by this key").with_cause(error))
    }
}

#[cfg(test)]
mod tests {
    use super::{Signer, Verifier};
    use crate::anchor::Anchor;
    use pghaul_core::event::Invocation;
    use pghaul_core::journal::Head;
    use pghaul_core::{Code, MigrationId, Seq};
    use ssh_key::private::Ed25519Keypair;
    use ssh_key::{LineEnding, PrivateKey};

    #[test]
    fn a_changed_anchor_does_not_fit_its_signature() {
        let directory = tempfile::tempdir().unwrap();
        let (key, public) = (directory.path().join("key"), directory.path().join("key.pub"));
        let pair = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        pair.write_openssh_file(&key, LineEnding::LF).unwrap();
        pair.public_key().write_openssh_file(&public).unwrap();
        let head = Head {
            seq: Seq(7),
            hash: "0".repeat(64),
        };
        let id = MigrationId::new("aaaaaaaa");
        let anchor = Anchor::new((&id, "shops"), &head, "run", &Invocation::default());
        let verifier = Verifier::read(&public).unwrap();
        assert_eq!(verifier.verify(&anchor).unwrap_err().code, Code::JournalDamaged);
        let signed = Signer::read(&key).unwrap().sign(anchor).unwrap();
        verifier.verify(&signed).unwrap();
        let forged = Anchor {
            by: "another@host".to_owned(),
            ..signed.clone()
        };
        assert!(verifier.verify(&forged).is_err());
        // The same lines, shared out among the fields in another way.
        let shifted = Anchor {
            name: format!("{}\n{}", signed.name, signed.head),
            head: signed.at.clone(),
            at: signed.command.clone(),
            command: signed.by.clone(),
            by: String::new(),
            ..signed.clone()
        };
        let text = |anchor: &Anchor| anchor.signed_text();
        assert_eq!(
            text(&shifted).trim_end().replace("\\n", "\n"),
            text(&signed).trim_end()
        );
        assert!(verifier.verify(&shifted).is_err());
    }
}
