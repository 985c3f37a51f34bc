//! The URL that everybody reaches an instance at: clients outside, and functions inside their sandboxes, so that
//! a URL which is presigned or handed out on either side works on the other.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// `http://` or `https://`, a host, perhaps a port; nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    secure: bool,
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

/// What is done inside sandboxes, so that the URL leads to the platform there too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The port of the endpoint.
    pub(crate) port: u16,
    /// The endpoint speaks TLS.
    pub(crate) secure: bool,
    /// A name that leads there.
    pub(crate) name: Option<String>,
    /// An address that does.
    pub(crate) address: Option<Ipv4Addr>,
    /// The URL that functions are given.
    pub(crate) url: String,
}

impl PublicUrl {
    /// The URL of a listener; a wildcard is reached at loopback.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self { secure: false, host: Host::Address(ip), port: address.port() }
    }

    /// How sandboxes reach an instance that listens on `own_port`.
    pub(crate) fn inside(&self, own_port: u16) -> Inside {
        // The port of HTTPS is there already: clients that go by a name of AWS's have it.
        let is_there = self.secure && self.port == PORT_HTTPS;
        let port = if is_there { own_port } else { self.port };
        let secure = self.secure && !is_there;
        let (name, address, url) = match &self.host {
            Host::Name(name) => (Some(name.clone()), None, self.to_string()),
            Host::Address(IpAddr::V4(ip)) => {
                (None, Some(*ip).filter(|ip| !ip.is_loopback()), self.to_string())
            }
            // Sandboxes have no listeners at IPv6 addresses.
            Host::Address(IpAddr::V6(_)) => {
                let local = Host::Address(Ipv4Addr::LOCALHOST.into());
                (None, None, Self { host: local, ..self.clone() }.to_string())
            }
        };
        Inside { port, secure, name, address, url }
    }
}

const PORT_HTTP: u16 = 80;
const PORT_HTTPS: u16 = 443;

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "https://" } else { "http://" })?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(ip)) => write!(f, "{ip}")?,
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
        }
        if self.port == if self.secure { PORT_HTTPS } else { PORT_HTTP } {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("{why}; write it like https://apus.example.com or http://192.0.2.7:4566");
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| wrong("there is no http:// or https://"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("it begins neither with http:// nor with https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(wrong("only a host and a port may follow"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (
                host,
                port.parse()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or_else(|| wrong("the port is no number up to 65535"))?,
            ),
            _ => (authority, if secure { PORT_HTTPS } else { PORT_HTTP }),
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => Host::Address(IpAddr::V6(v6.parse().map_err(|_| wrong("that is no IPv6 address"))?)),
            None => match host.parse::<Ipv4Addr>() {
                Ok(v4) => Host::Address(v4.into()),
                Err(_) if is_name(host) => Host::Name(host.to_ascii_lowercase()),
                Err(_) => return Err(wrong("that is no name of a host")),
            },
        };
        Ok(Self { secure, host, port })
    }
}

/// Letters, digits and dashes between dots, and not an address that went wrong.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let numeric = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    host.len() <= 253 && host.split('.').all(label) && !numeric
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, own_port: u16, expect: &Inside) {
        let url: PublicUrl = text.parse().expect(text);
        assert_eq!(&url.inside(own_port), expect, "{text}");
    }

    fn inside(port: u16, secure: bool, url: &str) -> Inside {
        Inside { port, secure, name: None, address: None, url: url.into() }
    }

    #[test]
    fn the_url_leads_to_the_platform_inside_too() {
        check("http://127.0.0.1:4566", 4566, &inside(4566, false, "http://127.0.0.1:4566"));
        check("http://[::1]:4566/", 4566, &inside(4566, false, "http://127.0.0.1:4566"));
        let address = Some(Ipv4Addr::new(192, 0, 2, 7));
        check("http://192.0.2.7:80", 4566, &Inside { address, ..inside(80, false, "http://192.0.2.7") });
        let name = Some("apus.example.com".to_owned());
        check(
            "https://Apus.Example.com",
            4566,
            &Inside { name: name.clone(), ..inside(4566, false, "https://apus.example.com") },
        );
        check(
            "https://apus.example.com:8443",
            4566,
            &Inside { name, ..inside(8443, true, "https://apus.example.com:8443") },
        );
    }

    #[test]
    fn what_is_no_url_is_said() {
        for bad in [
            "",
            "apus",
            "ftp://apus",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://u@a",
            "http://a:0",
            "http://a:x",
            "http://1.2.3.256",
            "http://[::g]",
            "http://a..b",
            "http://ä",
        ] {
            let error = bad.parse::<PublicUrl>().expect_err(bad);
            assert!(error.contains("write it like"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_wildcard_is_reached_at_loopback() {
        let shown = |text: &str| PublicUrl::of(text.parse().expect("an address")).to_string();
        assert_eq!(shown("0.0.0.0:4566"), "http://127.0.0.1:4566");
        assert_eq!(shown("192.0.2.7:80"), "http://192.0.2.7");
        assert_eq!(shown("[::1]:4566"), "http://[::1]:4566");
    }
}
