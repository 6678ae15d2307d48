//! Container images: what they are called, and the documents that describe them
//! (OCI image and distribution specifications, `docker save`).

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// No document of an image is longer.
pub const MOST_DOCUMENT: u64 = 4 << 20;

/// What an image is called: `oci:` without that word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A layout or archive on the disk, and the tag or digest of the image in it if there are several.
    Path {
        /// Where.
        path: String,
        /// Which.
        which: Option<String>,
    },
    /// An image of a registry.
    Registry {
        /// Its host, with its port if it has one.
        host: String,
        /// The name there.
        name: String,
        /// A tag, or a digest, which has a `:`.
        which: String,
    },
}

/// Why a word is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReference {
    /// No host before the name.
    #[error("{0:?} does not name a registry")]
    NoRegistry(String),
    /// A name, tag or digest that none can have.
    #[error("{0:?} is not the name of an image")]
    Name(String),
    /// A digest of another kind, or none.
    #[error("{0:?} is not a digest: they are sha256: and 64 hexadecimal digits")]
    Digest(String),
}

impl BadReference {
    /// The way out.
    pub fn help(&self) -> &'static str {
        "an image is REGISTRY/NAME:TAG, REGISTRY/NAME@sha256:DIGEST, or the path of a layout or archive, which has a `/` \
         or `.` at its front"
    }
}

/// The 64 digits of `sha256:…`.
pub fn sha256(digest: &str) -> Result<&str, BadReference> {
    let good = |hex: &&str| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digest.strip_prefix("sha256:").filter(good).ok_or_else(|| BadReference::Digest(digest.to_owned()))
}

impl Reference {
    /// What a word means.
    ///
    /// # Errors
    /// It is the name of no image.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        if text.starts_with(['/', '.']) {
            let (path, which) = match text.split_once('@') {
                Some((path, digest)) => (path, Some(format!("sha256:{}", sha256(digest)?))),
                None => match text.rsplit_once(':') {
                    Some((path, tag)) if is_tag(tag) => (path, Some(tag.to_owned())),
                    _ => (text, None),
                },
            };
            return Ok(Self::Path { path: path.to_owned(), which });
        }
        let (host, rest) = text.split_once('/').ok_or_else(|| BadReference::NoRegistry(text.to_owned()))?;
        if !host.contains(['.', ':']) && host != "localhost" {
            return Err(BadReference::NoRegistry(text.to_owned()));
        }
        let (name, which) = match rest.split_once('@') {
            Some((name, digest)) => {
                let digest = format!("sha256:{}", sha256(digest)?);
                // A tag before a digest says nothing more.
                (name.split_once(':').map_or(name, |(name, _)| name), digest)
            }
            None => match rest.rsplit_once(':') {
                Some((name, tag)) => (name, tag.to_owned()),
                None => (rest, "latest".to_owned()),
            },
        };
        let is_name = |part: &str| {
            let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
            !part.is_empty() && part.len() < 256 && part.bytes().all(good) && !part.starts_with(['.', '-'])
        };
        let is_host = |host: &str| {
            host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b)) && host.len() < 256
        };
        if !is_host(host) || !name.split('/').all(is_name) || !(which.contains(':') || is_tag(&which)) {
            return Err(BadReference::Name(text.to_owned()));
        }
        Ok(Self::Registry { host: host.to_owned(), name: name.to_owned(), which })
    }
}

fn is_tag(tag: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(good) && !tag.starts_with(['.', '-'])
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |which: &str| if which.contains(':') { '@' } else { ':' };
        match self {
            Self::Path { path, which: None } => f.write_str(path),
            Self::Path { path, which: Some(which) } => write!(f, "{path}{}{which}", mark(which)),
            Self::Registry { host, name, which } => write!(f, "{host}/{name}{}{which}", mark(which)),
        }
    }
}

/// Where something is, by its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// What kind of document or layer.
    pub media_type: String,
    /// `sha256:…`
    pub digest: String,
    /// How many bytes.
    pub size: u64,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Notes; a layout's index has tags in them.
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// In Go's words: `amd64`.
    pub architecture: String,
    /// `linux`
    pub os: String,
}

/// An index (several images) or a manifest (one).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Of an index.
    pub manifests: Vec<Descriptor>,
    /// Of a manifest.
    pub config: Option<Descriptor>,
    /// Of a manifest: what the tree is made of, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// The configuration of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Image {
    /// In Go's words.
    pub architecture: String,
    /// `linux`
    pub os: String,
    /// What it runs, and how.
    pub config: Run,
    /// What its layers are, decompressed.
    pub rootfs: Layers,
}

/// The digests of decompressed layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Layers {
    /// The lowest first.
    pub diff_ids: Vec<String>,
}

/// What an image runs, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Run {
    /// The beginning of the command.
    pub entrypoint: Option<Vec<String>>,
    /// The rest of it.
    pub cmd: Option<Vec<String>>,
    /// `NAME=VALUE`
    pub env: Option<Vec<String>>,
    /// A user, or a user and a group with a `:` between them.
    pub user: Option<String>,
    /// Where the command starts.
    pub working_dir: Option<String>,
    /// What asks it to end.
    pub stop_signal: Option<String>,
}

/// An image in an archive of `docker save`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Saved {
    /// The path of its configuration.
    pub config: String,
    /// What it is called.
    pub repo_tags: Option<Vec<String>>,
    /// The paths of its layers, the lowest first.
    pub layers: Vec<String>,
}

impl Run {
    /// The whole command.
    pub fn command(&self) -> Vec<String> {
        [&self.entrypoint, &self.cmd].into_iter().flatten().flatten().cloned().collect()
    }

    /// The variables.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let pair =
            |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.env.iter().flatten().filter_map(pair).collect()
    }
}

/// Go's word for what a machine is.
pub fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// The image for a machine among several; the first if none of them says what it is for.
pub fn choose<'a>(manifests: &'a [Descriptor], machine: &str) -> Option<&'a Descriptor> {
    let wanted = architecture(machine);
    let fits = |d: &&Descriptor| {
        d.platform.as_ref().is_some_and(|p| p.architecture == wanted && (p.os == "linux" || p.os.is_empty()))
    };
    let says_nothing = |d: &&Descriptor| d.platform.is_none();
    manifests.iter().find(fits).or_else(|| manifests.iter().find(says_nothing))
}

/// What podman, skopeo and docker write when somebody logs in at a registry (containers-auth.json(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Logins {
    /// By the registry.
    pub auths: BTreeMap<String, Login>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Login {
    /// User and password, as a `Basic` authorization has them.
    pub auth: String,
}

impl Logins {
    /// User and password for a registry, if they can be a part of a header.
    pub fn at(&self, host: &str) -> Option<&str> {
        // docker writes an address where the others write a host.
        let is_it = |key: &str| {
            let key = key.strip_prefix("https://").unwrap_or(key);
            key.split('/').next().is_some_and(|of| of == host)
        };
        let login = &self.auths.iter().find(|(key, _)| is_it(key))?.1.auth;
        let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        (!login.is_empty() && login.bytes().all(is_base64)).then_some(login)
    }
}

/// What a registry's challenge asks for: `Bearer realm="…",service="…",scope="…"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where a token is got.
    pub realm: String,
    /// For whom.
    pub service: Option<String>,
    /// For what.
    pub scope: Option<String>,
}

impl Challenge {
    /// Reads a `WWW-Authenticate`; `None` if it is not `Bearer` with a realm.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut found = Self::default();
        while let Some((name, after)) = rest.split_once('=') {
            let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            match &name[..] {
                "realm" => found.realm = value.to_owned(),
                "service" => found.service = Some(value.to_owned()),
                "scope" => found.scope = Some(value.to_owned()),
                _ => {}
            }
            rest = after;
        }
        (!found.realm.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let at = |name: &str| format!("{name}@{digest}");
        for text in [
            "registry.example/debian:13",
            "registry.example:5000/a/b_c.d:x",
            "localhost/x:latest",
            "127.0.0.1:80/x:y",
            "/srv/image",
            "./image.tar",
            "/srv/image:13",
            &at("registry.example/debian"),
            &at("/srv/image"),
        ] {
            assert_eq!(Reference::parse(text).map(|r| r.to_string()), Ok(text.to_owned()));
        }
        let latest = Reference::parse("registry.example/debian").unwrap();
        assert_eq!(latest.to_string(), "registry.example/debian:latest");
        for (text, words) in [
            ("debian", "does not name a registry"),
            ("library/debian:13", "does not name a registry"),
            ("registry.example/Debian", "not the name of an image"),
            ("registry.example/a//b", "not the name of an image"),
            ("registry.example/a:.b", "not the name of an image"),
            ("registry.example/a:", "not the name of an image"),
            ("registry.example/../a", "not the name of an image"),
            ("registry.example/a@sha256:00", "is not a digest"),
            ("registry.example/a@md5:00", "is not a digest"),
            ("reg istry.example/a", "not the name of an image"),
        ] {
            let bad = Reference::parse(text).unwrap_err();
            assert!(bad.to_string().contains(words), "{bad}");
        }
    }

    #[test]
    fn the_image_for_this_machine() {
        let of = |digest: &str, architecture: &str, os: &str| Descriptor {
            digest: digest.into(),
            platform: Some(Platform { architecture: architecture.into(), os: os.into() }),
            ..Descriptor::default()
        };
        let all = [
            of("w", "amd64", "windows"),
            of("x", "unknown", "unknown"),
            of("a", "arm64", "linux"),
            of("b", "amd64", "linux"),
        ];
        assert_eq!(choose(&all, "x86_64").map(|d| &d.digest[..]), Some("b"));
        assert_eq!(choose(&all, "aarch64").map(|d| &d.digest[..]), Some("a"));
        assert_eq!(choose(&all, "s390x"), None);
        assert!(choose(&[Descriptor::default()], "s390x").is_some());
    }

    #[test]
    fn logins() {
        let all = [
            ("registry.example", "dTpw"),
            ("https://hub.example/v1/", "eDp5"),
            ("bad.example", "a\r\nb"),
            ("no.example", ""),
        ];
        let login = |(key, auth): (&str, &str)| (key.to_owned(), Login { auth: auth.to_owned() });
        let logins = Logins { auths: all.into_iter().map(login).collect() };
        for (host, login) in [
            ("registry.example", Some("dTpw")),
            ("hub.example", Some("eDp5")),
            ("registry.example:5000", None),
            ("bad.example", None),
            ("no.example", None),
        ] {
            assert_eq!(logins.at(host), login, "{host}");
        }
    }

    #[test]
    fn challenges() {
        let text = "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a:pull,push\"";
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(challenge.realm, "https://auth.example/token");
        assert_eq!(challenge.scope.as_deref(), Some("repository:a:pull,push"));
        assert_eq!(Challenge::parse("bearer realm=x, service=y").unwrap().service.as_deref(), Some("y"));
        for bad in ["Basic realm=\"x\"", "Bearer", "Bearer service=\"x\"", "Bearer realm=\"x"] {
            assert_eq!(Challenge::parse(bad), None, "{bad}");
        }
    }
}
