//! Certificates made by openssl, of the kinds that servers have.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory with certificates and keys.
pub(crate) struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    /// Makes an authority `ca`, a `stranger` authority, and certificates for servers and a client.
    pub(crate) fn make() -> Self {
        let own = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for authority in ["ca", "stranger"] {
            own.self_signed(authority, authority);
        }
        own.self_signed("self", "localhost");
        own.signed("server", "ignored", Some("subjectAltName=DNS:localhost"));
        own.signed(
            "elsewhere",
            "localhost",
            Some("subjectAltName=DNS:elsewhere.example"),
        );
        own.signed("common-name", "localhost", Some("basicConstraints=CA:FALSE"));
        // As in PostgreSQL's documentation: no extensions, so OpenSSL 3.0 makes version 1.
        own.signed("version-1", "localhost", None);
        let version_1 = x509_version(&own.path("version-1.crt"));
        if version_1 != 1 {
            println!("this openssl makes version {version_1} for the certificate `version-1`");
        }
        own.signed("client", "certuser", Some("basicConstraints=CA:FALSE"));
        own
    }

    /// The path of `NAME.crt` or `NAME.key`.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// The content of a file.
    pub(crate) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    fn self_signed(&self, name: &str, subject: &str) {
        openssl(
            self.directory.path(),
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN={subject} -keyout {name}.key -out {name}.crt"
            ),
        );
    }

    fn signed(&self, name: &str, subject: &str, extension: Option<&str>) {
        let directory = self.directory.path();
        openssl(
            directory,
            &format!("req -newkey rsa:2048 -nodes -subj /CN={subject} -keyout {name}.key -out {name}.csr"),
        );
        let mut sign = format!(
            "x509 -req -in {name}.csr -days 3 -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt"
        );
        if let Some(extension) = extension {
            std::fs::write(self.path("extensions"), extension).unwrap();
            sign.push_str(" -extfile extensions");
        }
        openssl(directory, &sign);
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The X.509 version of a certificate.
fn x509_version(file: &Path) -> u32 {
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Version: "))
        .unwrap();
    version[..1].parse().unwrap()
}
