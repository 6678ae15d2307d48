//! Images of a registry (OCI distribution specification): what all may pull, and what those may that are logged in.

use super::{ImageError, Parts, Start, parse, same, whole};
use crate::error::Result;
use crate::rootfs::archive::{apart, hex};
use model::oci::{Challenge, Descriptor, Logins, sha256};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::StatusCode;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder, http::Response};

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
    /// What it has asked for: a token, or user and password.
    authorization: Option<String>,
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
            authorization: None,
        })
    }

    /// Asks for something of the image; if the registry wants to know who asks, tells it and asks again.
    fn get(&mut self, what: &str) -> Result<Body> {
        let url = format!("{}/{what}", self.base);
        let mut answer = self.ask(&url)?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            let header = answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
            let header = header.unwrap_or_default().to_owned();
            self.authorization = match Challenge::parse(&header) {
                Some(challenge) => Some(format!("Bearer {}", self.token(&challenge)?)),
                None if header.to_ascii_lowercase().starts_with("basic") => self.login(),
                None => None,
            };
            if self.authorization.is_some() {
                answer = self.ask(&url)?;
            }
        }
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body());
        }
        Err(self.refused(answer, what))
    }

    fn ask(&self, url: &str) -> Result<Response<Body>> {
        let mut request = self.agent.get(url).header("accept", KINDS);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        answer(request, &self.host)
    }

    /// User and password, if somebody logged in there.
    fn login(&self) -> Option<String> {
        let of = |path: PathBuf| {
            let logins: Logins = serde_json::from_str(&crate::registry::read_text(&path).ok()?).ok()?;
            logins.at(&self.host).map(str::to_owned)
        };
        logins().into_iter().find_map(of).map(|login| format!("Basic {login}"))
    }

    /// A token for somebody who has no name, or is logged in.
    fn token(&self, challenge: &Challenge) -> Result<String> {
        let scope = challenge.scope.clone().unwrap_or_else(|| format!("repository:{}:pull", self.name));
        let mut request = self.agent.get(&challenge.realm).query("scope", scope);
        if let Some(service) = &challenge.service {
            request = request.query("service", service);
        }
        // A registry of this machine may send us anywhere; a password goes nowhere without secrecy.
        let realm = &challenge.realm;
        let host = realm.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
        if let Some(login) =
            self.login().filter(|_| realm.starts_with("https://") || host.is_some_and(is_loopback))
        {
            request = request.header("authorization", login);
        }
        let answer = answer(request, &challenge.realm)?;
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

/// Where podman, skopeo and docker keep what a login was.
fn logins() -> Vec<PathBuf> {
    let of = |name: &str, below: &str| std::env::var_os(name).map(|top| PathBuf::from(top).join(below));
    let named = std::env::var_os("REGISTRY_AUTH_FILE").map(PathBuf::from);
    let all = [
        named,
        of("XDG_RUNTIME_DIR", "containers/auth.json"),
        of("HOME", ".config/containers/auth.json"),
        of("HOME", ".docker/config.json"),
    ];
    all.into_iter().flatten().collect()
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

/// What a host answers. It may take its time; a signal does not wait for it.
fn answer(request: RequestBuilder<WithoutBody>, host: &str) -> Result<Response<Body>> {
    let answer = apart(|| request.call()).map_err(ImageError::Read)?;
    let unreachable = |error: ureq::Error| ImageError::Unreachable {
        host: host.to_owned(),
        why: error.to_string().replace('\n', " "),
    };
    Ok(answer.map_err(unreachable)?)
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
