//! The Linux kernel, one file per facility: safe wrappers, no policy.
//!
//! The only crate with `unsafe`; each block says why it is sound.
