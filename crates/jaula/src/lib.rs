//! What jaula does: one operation on jails per file in [`ops`].
#![forbid(unsafe_code)]

pub mod rootfs;
