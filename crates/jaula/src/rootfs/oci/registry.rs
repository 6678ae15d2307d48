//! Images of a registry (OCI distribution specification): what all may pull.

use super::{ImageError, Parts, Start, parse, same, whole};
use crate::error::Result;
use crate::rootfs::archive::hex;
use model::oci::{Challenge, Descriptor, sha256};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::StatusCode;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, http::Response};

/// Documents that jaula understands.
const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";

/// Where hosts keep the certificates of those whom they believe.
const CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Longer than this nobody waits for the next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One image of a registry.
pub(super) struct Registry {
    agent: Agent,
    host: String,
    /// `https://HOST/v2/NAME`
    base: String,
    name: String,
    which: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What registries say when they say no.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    message: Option<String>,
}

impl Registry {
    pub(super) fn new(host: &str, name: &str, which: &str) -> Result<Self> {
        // What goes over no wire needs no secrecy.
        let is_here = is_loopback(host);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!is_here)
            .user_agent("jaula")
            .accept_encoding("identity")
            .max_redirects(5)
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE));
        if !is_here {
            config = config.tls_config(tls()?);
        }
        let scheme = if is_here { "http" } else { "https" };
        Ok(Self {
            agent: Agent::new_with_config(config.build()),
            host: host.to_owned(),
            base: format!("{scheme}://{host}/v2/{name}"),
            name: name.to_owned(),
            which: which.to_owned(),
            token: None,
        })
    }

    /// Asks for something of the image; if the registry wants a token for it, gets one and asks again.
    fn get(&mut self, what: &str) -> Result<Body> {
        let url = format!("{}/{what}", self.base);
        let mut answer = self.ask(&url, self.token.clone())?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.token.is_none() {
            let header = answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
            if let Some(challenge) = header.and_then(Challenge::parse) {
                let token = self.token(&challenge)?;
                self.token = Some(token.clone());
                answer = self.ask(&url, Some(token))?;
            }
        }
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body());
        }
        Err(self.refused(answer, what))
    }

    fn ask(&self, url: &str, token: Option<String>) -> Result<Response<Body>> {
        let mut request = self.agent.get(url).header("accept", KINDS);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Ok(request.call().map_err(|e| unreachable(&self.host, &e))?)
    }

    /// A token for somebody who has no name.
    fn token(&self, challenge: &Challenge) -> Result<String> {
        let scope = challenge.scope.clone().unwrap_or_else(|| format!("repository:{}:pull", self.name));
        let mut request = self.agent.get(&challenge.realm).query("scope", scope);
        if let Some(service) = &challenge.service {
            request = request.query("service", service);
        }
        let answer = request.call().map_err(|e| unreachable(&challenge.realm, &e))?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer, "a token"));
        }
        let token: Token = parse(&whole(answer.into_body().into_reader())?)?;
        let token = token.token.or(token.access_token).filter(|token| !token.contains(['\r', '\n']));
        Ok(token.ok_or_else(|| ImageError::Damaged("the registry's token is none".to_owned()))?)
    }

    fn refused(&self, answer: Response<Body>, what: &str) -> crate::Error {
        let status = answer.status().as_u16();
        let text = whole(answer.into_body().into_reader()).unwrap_or_default();
        let errors = serde_json::from_slice::<Errors>(&text).map(|all| all.errors).unwrap_or_default();
        let said: String = errors.into_iter().find_map(|e| e.message).unwrap_or_default();
        let said = said.chars().filter(|c| !c.is_control()).take(200).collect();
        ImageError::Refused { host: self.host.clone(), status, what: what.to_owned(), said }.into()
    }
}

impl Parts for Registry {
    fn start(&mut self) -> Result<Start> {
        let text = whole(self.get(&format!("manifests/{}", self.which))?.into_reader())?;
        let found = hex(&Sha256::digest(&text));
        if let Ok(wanted) = sha256(&self.which) {
            same(wanted, &found)?;
        }
        Ok(Start::Document(parse(&text)?, format!("sha256:{found}")))
    }

    fn part(&mut self, of: &Descriptor) -> Result<Box<dyn Read + Send>> {
        // It becomes a part of a path.
        sha256(&of.digest).map_err(ImageError::from)?;
        let is_document = ["manifest", "index"].iter().any(|word| of.media_type.contains(word));
        let kind = if is_document { "manifests" } else { "blobs" };
        let body = self.get(&format!("{kind}/{}", of.digest))?;
        Ok(Box::new(body.into_with_config().limit(u64::MAX).reader()))
    }
}

/// Is it this machine?
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// TLS with the certificates that the host believes in.
fn tls() -> Result<TlsConfig> {
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let mut places = named.into_iter().chain(CERTIFICATES.map(std::path::PathBuf::from));
    let text = places.find_map(|path| std::fs::read(path).ok()).ok_or_else(|| {
        crate::Error::refused(
            "this host has no certificates to know a registry by",
            "install them: apt install ca-certificates",
        )
    })?;
    let certificates = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn unreachable(host: &str, error: &ureq::Error) -> ImageError {
    ImageError::Unreachable { host: host.to_owned(), why: error.to_string().replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.1.2.3", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["registry.example", "128.0.0.1", "localhost.example", "[2001:db8::1]", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
