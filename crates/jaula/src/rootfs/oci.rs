//! Container images: their layers into a tree.
//!
//! Whatever an image comes from (a layout, an archive, a registry), everything of it but its index is known by a
//! digest, and is used only if it has that digest. A registry is asked over TLS, unless it is on this machine.

mod error;
mod files;
mod registry;
#[cfg(test)]
mod tests;

pub use error::ImageError;

use crate::error::Result;
use crate::rootfs::archive::{Input, Layer, Limits, Progress, Report, Unpack, Unpacked, apart, hex};
use model::oci::{Descriptor, Document, Image, MOST_DOCUMENT, Reference, Run, Saved, choose, sha256};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::os::fd::BorrowedFd;

/// An image has no more layers.
const MOST_LAYERS: usize = 1000;

/// An image that was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// `sha256:…` of the image's manifest; of an archive of `docker save`, of its configuration.
    pub digest: String,
    /// What it runs on, in Go's words.
    pub architecture: String,
    /// What it runs, and how.
    pub run: Run,
    /// What became of its layers.
    pub unpacked: Unpacked,
}

/// Where the parts of an image are.
trait Parts {
    /// The index, or the manifest of the one image that is meant.
    fn start(&mut self) -> Result<Start>;
    /// A part by its digest.
    fn part(&mut self, of: &Descriptor) -> Result<Box<dyn Read + Send>>;
}

/// Where an image begins.
enum Start {
    /// An index or manifest, and its digest.
    Document(Document, String),
    /// What `docker save` has: paths in place of digests.
    Saved(Saved, Box<files::Archive>),
}

/// Unpacks an image into an empty directory.
pub fn fetch(
    reference: &Reference,
    into: BorrowedFd<'_>,
    limits: Limits,
    report: Report<'_>,
) -> Result<Fetched> {
    match reference {
        Reference::Path { path, which } => {
            let mut parts = files::open(path, which.as_deref(), report)?;
            unpack(&mut *parts, into, limits, report)
        }
        Reference::Registry { host, name, which } => {
            let mut parts = registry::Registry::new(host, name, which)?;
            unpack(&mut parts, into, limits, report)
        }
    }
    .map_err(|error| named(error, reference))
}

/// An error of an archive is one of this image.
fn named(error: crate::Error, reference: &Reference) -> crate::Error {
    match error {
        crate::Error::Archive { source, .. } => {
            crate::Error::Archive { archive: format!("image {reference}"), source }
        }
        crate::Error::Image { source, .. } => {
            crate::Error::Image { image: format!("image {reference}"), source }
        }
        other => other,
    }
}

fn unpack(
    parts: &mut dyn Parts,
    into: BorrowedFd<'_>,
    limits: Limits,
    report: Report<'_>,
) -> Result<Fetched> {
    let (mut document, mut digest) = match parts.start()? {
        Start::Saved(saved, archive) => return unpack_saved(&saved, &archive, into, limits, report),
        Start::Document(document, digest) => (document, digest),
    };
    // An index may lead to another, but not for ever.
    for _ in 0..3 {
        if document.config.is_some() {
            break;
        }
        let machine = std::env::consts::ARCH;
        let chosen = choose(&document.manifests, machine).ok_or_else(|| ImageError::Platform {
            wanted: model::oci::architecture(machine).to_owned(),
            there: there(&document.manifests),
        })?;
        digest.clone_from(&chosen.digest);
        document = parse(&read(parts, chosen)?)?;
    }
    let config = document.config.ok_or_else(|| ImageError::Damaged("it has no manifest".to_owned()))?;
    let image: Image = parse(&read(parts, &config)?)?;
    if document.layers.len() > MOST_LAYERS {
        return Err(ImageError::Damaged(format!("it has more than {MOST_LAYERS} layers")).into());
    }
    let mut tree = Unpack::new(into, Layer::OfImage, limits);
    let mut before = 0;
    for layer in &document.layers {
        let wanted = sha256(&layer.digest).map_err(ImageError::from)?;
        let mut last = 0;
        let found = tree.add(Input::new(parts.part(layer)?)?, &mut |progress| {
            last = progress.archive;
            report(&Progress { archive: before + progress.archive, ..*progress })
        })?;
        before += last;
        same(wanted, &found)?;
    }
    Ok(Fetched { digest, architecture: image.architecture, run: image.config, unpacked: tree.finish()? })
}

/// The same of an archive that has paths in place of digests; its layers are known by what its configuration says.
fn unpack_saved(
    saved: &Saved,
    archive: &files::Archive,
    into: BorrowedFd<'_>,
    limits: Limits,
    report: Report<'_>,
) -> Result<Fetched> {
    let text = archive.text(&saved.config)?;
    let digest = hex(&Sha256::digest(&text));
    let name = saved.config.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".json").unwrap_or(name);
    if sha256(&format!("sha256:{name}")).is_ok() {
        same(name, &digest)?;
    }
    let image: Image = parse(&text)?;
    if image.rootfs.diff_ids.len() != saved.layers.len() || saved.layers.len() > MOST_LAYERS {
        return Err(
            ImageError::Damaged("its configuration tells of other layers than it has".to_owned()).into()
        );
    }
    let mut tree = Unpack::new(into, Layer::OfImage, limits);
    for (path, wanted) in saved.layers.iter().zip(&image.rootfs.diff_ids) {
        let wanted = sha256(wanted).map_err(ImageError::from)?;
        let found = tree.add(Input::plain(archive.open(path)?)?, report)?;
        same(wanted, &found)?;
    }
    let digest = format!("sha256:{digest}");
    Ok(Fetched { digest, architecture: image.architecture, run: image.config, unpacked: tree.finish()? })
}

/// A document of an image, if it has its digest.
fn read(parts: &mut dyn Parts, of: &Descriptor) -> Result<Vec<u8>> {
    let wanted = sha256(&of.digest).map_err(ImageError::from)?;
    let text = whole(parts.part(of)?)?;
    same(wanted, &hex(&Sha256::digest(&text)))?;
    Ok(text)
}

/// All of a document.
fn whole(from: impl Read + Send + 'static) -> Result<Vec<u8>> {
    let read = || {
        let mut text = Vec::new();
        from.take(MOST_DOCUMENT + 1).read_to_end(&mut text).map(|_| text)
    };
    let text = apart(read).flatten().map_err(ImageError::Read)?;
    if text.len() as u64 > MOST_DOCUMENT {
        return Err(ImageError::Damaged("a document of it is longer than any".to_owned()).into());
    }
    Ok(text)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    Ok(serde_json::from_slice(text).map_err(|e| ImageError::Damaged(e.to_string()))?)
}

fn same(wanted: &str, found: &str) -> Result<()> {
    if wanted == found {
        return Ok(());
    }
    let (wanted, found) = (wanted.to_owned(), found.to_owned());
    Err(crate::rootfs::archive::ArchiveError::Digest { wanted, found }.into())
}

/// What several images are for, in words.
fn there(manifests: &[Descriptor]) -> String {
    let platforms = manifests.iter().filter_map(|d| d.platform.as_ref());
    let all: Vec<String> = platforms.map(|p| format!("{}/{}", p.os, p.architecture)).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}
