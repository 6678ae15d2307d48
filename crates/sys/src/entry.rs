//! How a program begins that the C library calls by its name, without what the standard library
//! does before its own `main`: a stack for a handler that tells how a stack overflowed, and more.

use std::ffi::{CStr, OsStr, OsString, c_char};
use std::os::unix::ffi::OsStrExt;

/// The command line, as `main` of C is given it. Nobody else can make one.
#[derive(Debug)]
#[repr(transparent)]
pub struct Words(*const *const c_char);

impl Words {
    /// All of it, with the program's own name first.
    pub fn list(&self) -> Vec<OsString> {
        let mut list = Vec::new();
        // SAFETY: the kernel gives a list of C strings that ends with a null pointer, at least; it
        // lives as long as the process, which changes nothing in it.
        unsafe {
            let mut at = self.0;
            while !at.is_null() && !(*at).is_null() {
                list.push(OsStr::from_bytes(CStr::from_ptr(*at).to_bytes()).to_owned());
                at = at.add(1);
            }
        }
        list
    }
}
