//! What files of an archive are like: owners, modes, attributes, access lists, times.

use super::super::MOST_ID;
use super::super::place::make;
use super::Done;
use super::Unpack;
use model::tar::{Entry, acl};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

impl Unpack<'_> {
    /// The owner, if it is not that of every file of this process.
    pub(super) fn other_owner(&self, entry: &Entry) -> Option<(u32, u32)> {
        let owner = (user(entry), group(entry));
        (owner != self.own).then_some(owner)
    }

    /// Owner, mode, attributes and time of a file, in this order: each may change what came before it.
    /// `unset` are the bits of its mode that it cannot have yet.
    pub(super) fn like(&mut self, fd: &OwnedFd, path: &[u8], entry: &Entry, unset: u32) -> Done {
        let owner = self.other_owner(entry);
        if let Some((user, group)) = owner {
            sys::fs::set_owner(fd, user, group).map_err(make(path))?;
        }
        if entry.mode & (0o7000 | unset) != 0 {
            sys::fs::set_mode(fd, entry.mode & 0o7777).map_err(make(path))?;
        }
        for (name, value) in &entry.attributes {
            self.attribute(fd, path, name, value)?;
        }
        self.lists(fd, path, entry, false)?;
        sys::copy::touch(fd, entry.changed).map_err(make(path))
    }

    pub(super) fn attribute(&mut self, fd: &OwnedFd, path: &[u8], name: &[u8], value: &[u8]) -> Done {
        let capability;
        let value = match name {
            b"security.capability" => match plain_capability(value) {
                Some(plain) => {
                    capability = plain;
                    &capability[..]
                }
                None => {
                    self.left_out("attribute security.capability of another user namespace");
                    return Ok(());
                }
            },
            b"system.posix_acl_access" | b"system.posix_acl_default"
                if acl::ids(value).is_some_and(|ids| ids.iter().all(|id| *id <= MOST_ID)) =>
            {
                value
            }
            // An overlay would take its own for an order.
            _ if name.starts_with(b"user.overlay.") || !name.starts_with(b"user.") => {
                self.left_out(&format!("attribute {}", String::from_utf8_lossy(name)));
                return Ok(());
            }
            _ => value,
        };
        match sys::xattr::set(fd, OsStr::from_bytes(name), value) {
            // Not every file system has them.
            Err(e) if e.is(sys::errno::EOPNOTSUPP) => {
                self.left_out(&format!("attribute {}", String::from_utf8_lossy(name)));
                Ok(())
            }
            set => set.map_err(make(path)),
        }
    }

    /// Access lists. Names in them are users of the tree, which is whole at the end (`last`).
    pub(super) fn lists(&mut self, fd: &OwnedFd, path: &[u8], entry: &Entry, last: bool) -> Done {
        for (name, text) in [(acl::ACCESS, &entry.access), (acl::DEFAULT, &entry.default)] {
            let Some(text) = text else { continue };
            let value = if last {
                let (users, groups) = (self.place.text("etc/passwd"), self.place.text("etc/group"));
                acl::value(text, |name| id_of(&users, name), |name| id_of(&groups, name))?
            } else {
                match acl::value(text, |_| None, |_| None) {
                    Ok(value) => value,
                    Err(_) => {
                        self.named.push((path.to_vec(), entry.clone()));
                        return Ok(());
                    }
                }
            };
            self.attribute(fd, path, name.as_bytes(), &value)?;
        }
        Ok(())
    }
}

pub(super) fn user(entry: &Entry) -> u32 {
    u32::try_from(entry.user).unwrap_or(MOST_ID)
}

pub(super) fn group(entry: &Entry) -> u32 {
    u32::try_from(entry.group).unwrap_or(MOST_ID)
}

/// The number behind a name in the text of a `passwd` or `group` file.
fn id_of(text: &str, wanted: &str) -> Option<u32> {
    let mut lines = text.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (name == wanted).then(|| id.parse().ok()).flatten()
    })
}

/// A file's capabilities without the user namespace that they are meant for, which is the jail's own; `None` for
/// those of a namespace whose root was somebody else (`linux/capability.h`).
fn plain_capability(value: &[u8]) -> Option<Vec<u8>> {
    const REVISION: u32 = 0xff00_0000;
    let magic = u32::from_le_bytes(value.get(..4)?.try_into().ok()?);
    match (magic & REVISION, value.len()) {
        (0x0200_0000, 20) => Some(value.to_vec()),
        (0x0300_0000, 24) if value[20..] == [0; 4] => {
            let magic = magic & !REVISION | 0x0200_0000;
            Some([&magic.to_le_bytes(), &value[4..20]].concat())
        }
        _ => None,
    }
}
