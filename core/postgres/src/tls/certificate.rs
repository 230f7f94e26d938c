//! What a certificate says: its validity, and the hosts it is for by libpq's rules.

use std::net::IpAddr;
use x509_cert::Certificate;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whether now, in seconds since 1970, is in the time for which the certificate was issued.
pub(super) fn is_valid_at(certificate: &Certificate, now: u64) -> bool {
    let validity = &certificate.tbs_certificate.validity;
    let (from, to) = (
        validity.not_before.to_unix_duration(),
        validity.not_after.to_unix_duration(),
    );
    (from.as_secs()..=to.as_secs()).contains(&now)
}

/// Whether the certificate is for the host, as libpq's `pq_verify_peer_name_matches_certificate` decides it: any
/// matching subject alternative name; the common name only when there is no alternative name to compare with.
pub(super) fn is_for_host(certificate: &Certificate, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    let mut has_names = false;
    let alternatives = certificate.tbs_certificate.get::<SubjectAltName>().ok().flatten();
    for name in alternatives.iter().flat_map(|(_, names)| names.0.iter()) {
        match (name, address) {
            (GeneralName::DnsName(name), _) => {
                has_names = true;
                if name_matches(name.as_str(), host) {
                    return true;
                }
            }
            (GeneralName::IpAddress(octets), Some(address)) => {
                has_names = true;
                let equal = match address {
                    IpAddr::V4(address) => octets.as_bytes() == address.octets(),
                    IpAddr::V6(address) => octets.as_bytes() == address.octets(),
                };
                if equal {
                    return true;
                }
            }
            _ => {}
        }
    }
    !has_names
        && common_names(certificate)
            .iter()
            .any(|name| name_matches(name, host))
}

fn common_names(certificate: &Certificate) -> Vec<String> {
    let attributes = certificate
        .tbs_certificate
        .subject
        .0
        .iter()
        .flat_map(|relative| relative.0.iter());
    attributes
        .filter(|attribute| attribute.oid == CN)
        .filter_map(|attribute| {
            let value = &attribute.value;
            let text = Utf8StringRef::try_from(value)
                .map(|text| text.as_str().to_owned())
                .or_else(|_| PrintableStringRef::try_from(value).map(|text| text.as_str().to_owned()))
                .or_else(|_| Ia5StringRef::try_from(value).map(|text| text.as_str().to_owned()))
                .or_else(|_| TeletexStringRef::try_from(value).map(|text| text.as_str().to_owned()));
            text.ok()
        })
        .collect()
}

/// Case does not matter; `*.` stands for exactly one label.
fn name_matches(pattern: &str, host: &str) -> bool {
    if pattern.contains('\0') {
        return false;
    }
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(pattern), Some((label, host))) => {
            !label.is_empty() && pattern.contains('.') && pattern.eq_ignore_ascii_case(host)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::name_matches;

    #[test]
    fn wildcards_stand_for_one_label() {
        assert!(name_matches("DB.example.com", "db.EXAMPLE.com"));
        assert!(name_matches("*.example.com", "db.example.com"));
        assert!(!name_matches("*.example.com", "a.b.example.com"));
        assert!(!name_matches("*.example.com", "example.com"));
        assert!(!name_matches("*.example.com", ".example.com"));
        assert!(!name_matches("d*.example.com", "db.example.com"));
        assert!(!name_matches("*.com", "example.com"));
        assert!(!name_matches("db.example.com\0.evil.org", "db.example.com"));
    }
}
