//! Where metrics are served.

use clap::Args;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Where metrics are served.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MetricsArgs {
    /// Serve metrics for Prometheus at http://ADDRESS:PORT/metrics while the command runs; on the loopback address unless another
    /// one is given, such as 0.0.0.0:9187
    #[arg(long, value_name = "[ADDRESS:]PORT", help_heading = "Output")]
    pub(crate) metrics_listen: Option<Listen>,
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text
            .parse()
            .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        port.or_else(|_| text.parse()).map(Self).map_err(|_| {
            "write a port such as 9187, or an IP address and a port such as 0.0.0.0:9187 or [::1]:9187"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn a_port_alone_is_on_the_loopback_address() {
        let address = |text: &str| text.parse::<Listen>().map(|listen| listen.0.to_string());
        assert_eq!(address("9187").as_deref(), Ok("127.0.0.1:9187"));
        assert_eq!(address("0.0.0.0:9187").as_deref(), Ok("0.0.0.0:9187"));
        assert_eq!(address("[::1]:9187").as_deref(), Ok("[::1]:9187"));
        for wrong in ["", "port", ":9187", "localhost:9187", "70000"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
