//! `oci:REF`: a container image.

use super::Work;
use crate::error::{Error, Result};
use crate::rootfs::archive::{Contents, Limits};
use crate::rootfs::oci;
use model::oci::Reference;
use model::template::Template;
use std::os::fd::AsFd;
use std::path::Path;

/// Unpacks an image, and says what is known of it.
pub(super) fn fetch(
    reference: &Reference,
    into: &Path,
    about: &mut Template,
    work: &mut Work<'_>,
) -> Result<Contents> {
    let top = sys::fs::open(sys::fs::CWD, into, sys::fs::O_RDONLY | sys::fs::O_DIRECTORY, 0);
    let top = top.map_err(|e| Error::tree(into, "a tree to unpack into", e))?;
    let limits = Limits::of(&top, None).map_err(Error::call("see how much room there is"))?;
    let mut report = work.unpacking(None);
    let image = oci::fetch(reference, top.as_fd(), limits, &mut report);
    drop(report);
    let image = image.map_err(|error| work.ended_by(error))?;
    work.left_out(&image.unpacked.left_out);
    let run = image.run;
    about.digest = Some(image.digest);
    about.architecture = Some(match &image.architecture[..] {
        "amd64" => "x86_64".to_owned(),
        "arm64" => "aarch64".to_owned(),
        other => other.to_owned(),
    });
    about.command = run.command();
    about.environment = run.environment();
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    about.user = said(run.user);
    about.directory = said(run.working_dir);
    about.stop_signal = said(run.stop_signal);
    Ok(image.unpacked.contents)
}
