//! HTTP requests to addresses that users name. Whoever names an address must not reach, through us, what
//! only we can reach: every address that a name leads to is checked, and the connection goes to the checked
//! address, so that a name that leads elsewhere a moment later is of no use.

mod address;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

pub use address::{AddressRules, IpNet};

/// Time to connect, and from the beginning of a request to the head of its answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);
/// A request with a body has a second more for so many bytes.
const SLOWEST: u64 = 256 * 1024;
/// Longest URL, in bytes.
const URL_LIMIT: usize = 2_000;

/// Sends requests to addresses that users name.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Client,
    rules: AddressRules,
}

/// Why a request came to nothing. No text of it tells what is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The name leads, or may lead, to an address inside.
    #[error("the address is not a public one, and not allowed by configuration")]
    Forbidden,
    /// The name leads nowhere.
    #[error("the name cannot be resolved")]
    Unresolved,
    /// Nothing came back in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// No connection, or no trusted one.
    #[error("no connection, or none with a trusted certificate, can be made")]
    Unreachable,
    /// The connection broke, or the answer is not HTTP.
    #[error("the answer could not be read")]
    Broken,
}

/// Why a URL is not one that requests may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL of HTTP.
    #[error("must be a URL that begins with https:// or http://")]
    NotHttp,
    /// It is too long.
    #[error("must have at most {URL_LIMIT} characters")]
    TooLong,
    /// It holds a user name, a password or a fragment.
    #[error("must have no user name, no password and no fragment")]
    Adorned,
    /// It names an address inside.
    #[error("must lead to a public address; others have to be allowed in the server's configuration")]
    Inside,
}

/// The TLS library does not take our settings.
#[derive(Debug, thiserror::Error)]
#[error("requests to other servers cannot be made: {0}")]
pub struct OutboundSetupError(String);

impl Outbound {
    /// A client by these rules, which trusts whom this machine trusts.
    pub fn new(rules: AddressRules) -> Result<Self, OutboundSetupError> {
        let client = Client::builder()
            .tls_backend_preconfigured(trusted_tls()?)
            .dns_resolver(Arc::new(CheckedNames { rules: rules.clone() }))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            // Each request resolves and checks anew.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .user_agent(concat!("StoryToVideo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutboundSetupError(error.to_string()))?;
        Ok(Self { client, rules })
    }

    /// Checks a URL as far as that can be done without resolving its name.
    pub fn check_url(&self, url: &str) -> Result<(), UrlError> {
        if url.len() > URL_LIMIT {
            return Err(UrlError::TooLong);
        }
        let parsed = Url::parse(url).map_err(|_| UrlError::NotHttp)?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(UrlError::NotHttp);
        }
        if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
            return Err(UrlError::Adorned);
        }
        let is_inside = literal_address(&parsed).is_some_and(|address| !self.rules.permit(address));
        if is_inside { Err(UrlError::Inside) } else { Ok(()) }
    }

    /// Posts JSON, and answers the status. Redirects are not followed, and bodies of answers are not read.
    pub async fn post_json(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: impl Into<Bytes>,
    ) -> Result<u16, OutboundError> {
        let body = body.into();
        // Addresses in URLs are never resolved, so the resolver does not see them.
        self.check_url(url).map_err(|_| OutboundError::Forbidden)?;
        let mut map = HeaderMap::new();
        map.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| OutboundError::Broken)?;
            map.insert(HeaderName::from_static(name), value);
        }
        let patience = PATIENCE + Duration::from_secs(body.len() as u64 / SLOWEST);
        let sent = self.client.post(url).headers(map).timeout(patience).body(body).send().await;
        sent.map(|response| response.status().as_u16()).map_err(|error| classify(&error))
    }
}

impl Outbound {
    /// Begins to fetch what is at an address; all of it has to arrive within `patience`. Redirects are not
    /// followed.
    ///
    /// # Errors
    /// [`OutboundError`]; an answer of whatever status is none.
    pub async fn fetch(&self, url: &str, patience: Duration) -> Result<Fetched, OutboundError> {
        self.check_url(url).map_err(|_| OutboundError::Forbidden)?;
        let sent = self.client.get(url).timeout(patience).send().await;
        sent.map(|response| Fetched { response }).map_err(|error| classify(&error))
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Fetched {
    response: reqwest::Response,
}

impl Fetched {
    /// Its status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// How many bytes it says to have, if it says so.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// What it says to be, in lower case and without parameters: `image/png`.
    pub fn media_type(&self) -> Option<String> {
        let value = self.response.headers().get(reqwest::header::CONTENT_TYPE)?.to_str().ok()?;
        value.split(';').next().map(|essence| essence.trim().to_ascii_lowercase())
    }

    /// What comes next of its body; `None` at the end.
    ///
    /// # Errors
    /// [`OutboundError`] when it breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        self.response.chunk().await.map_err(|error| classify(&error))
    }
}

/// TLS with whom this machine trusts.
///
/// # Errors
/// [`OutboundSetupError`] when the TLS library does not take our settings.
pub fn trusted_tls() -> Result<ClientConfig, OutboundSetupError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        tracing::warn!("this machine trusts no certificate, so no https:// address can be reached");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundSetupError(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The address that a URL names in place of a name; `localhost` counts as one.
fn literal_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let name = host.strip_suffix('.').unwrap_or(host);
    if name == "localhost" || name.ends_with(".localhost") {
        return Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn classify(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<OutboundError>() {
            return *ours;
        }
        cause = error.source();
    }
    // A connection that cannot be made in time is none: nobody has heard anything.
    if error.is_connect() {
        OutboundError::Unreachable
    } else if error.is_timeout() {
        OutboundError::TimedOut
    } else {
        OutboundError::Broken
    }
}

/// Resolves names, and answers only with addresses that requests may go to.
#[derive(Debug)]
struct CheckedNames {
    rules: AddressRules,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.rules.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map_err(|_| OutboundError::Unresolved)?;
            let addresses = checked(&rules, found)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// One address inside is enough to refuse a name: whoever mixes them wants to be let in by chance.
fn checked(
    rules: &AddressRules,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, OutboundError> {
    let found: Vec<SocketAddr> = found.collect();
    match found.iter().all(|address| rules.permit(address.ip())) {
        true if found.is_empty() => Err(OutboundError::Unresolved),
        true => Ok(found),
        false => Err(OutboundError::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(allowed: &[&str]) -> Outbound {
        let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
        Outbound::new(AddressRules::new(allowed)).unwrap()
    }

    #[test]
    fn a_url_must_be_http_and_lead_outside() {
        let verdict = |url: &str| outbound(&[]).check_url(url);
        assert_eq!(verdict("https://example.org/hook?x=1"), Ok(()));
        assert_eq!(verdict("http://93.184.215.14:8080/"), Ok(()));
        for url in ["", "example.org", "ftp://example.org", "file:///etc/passwd", "https://", "gopher://x"] {
            assert_eq!(verdict(url), Err(UrlError::NotHttp), "{url}");
        }
        for url in ["https://a@example.org", "https://a:b@example.org/", "https://example.org/#x"] {
            assert_eq!(verdict(url), Err(UrlError::Adorned), "{url}");
        }
        assert_eq!(verdict(&format!("https://example.org/{}", "x".repeat(2_000))), Err(UrlError::TooLong));
    }

    #[test]
    fn no_spelling_of_an_address_inside_is_let_through() {
        let spellings = [
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://①②⑦.0.0.1/",
            "http://169.254.169.254/",
        ];
        for url in spellings {
            assert_eq!(outbound(&[]).check_url(url), Err(UrlError::Inside), "{url}");
        }
        assert_eq!(outbound(&["127.0.0.0/8"]).check_url("http://127.1:9/"), Ok(()));
    }

    #[test]
    fn a_name_that_leads_inside_and_outside_is_refused() {
        let rules = AddressRules::default();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mixed = [address("93.184.215.14:0"), address("10.0.0.1:0")];
        assert_eq!(checked(&rules, mixed.into_iter()), Err(OutboundError::Forbidden));
        assert_eq!(checked(&rules, mixed[..1].iter().copied()), Ok(mixed[..1].to_vec()));
        assert_eq!(checked(&rules, std::iter::empty()), Err(OutboundError::Unresolved));
    }

    #[tokio::test]
    async fn an_address_inside_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let refused = outbound(&[]).post_json(&url, &[], String::new()).await;
        assert_eq!(refused, Err(OutboundError::Forbidden));
        let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(accepted.is_err(), "nobody connects");
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_by_the_resolver_too() {
        let name: Name = "localhost".parse().unwrap();
        let refused = CheckedNames { rules: AddressRules::default() }.resolve(name).await.err().unwrap();
        assert_eq!(refused.downcast_ref(), Some(&OutboundError::Forbidden));
    }
}
