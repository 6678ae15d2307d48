//! Names of an archive, as names in a tree.

use super::Fault;

/// As long as the kernel takes a path.
const MOST: usize = 4095;
/// As long as file systems take a name.
const MOST_NAME: usize = 255;

/// The path without a leading `./`, double slashes and dots; empty for the root itself. What would lead out
/// of the tree, or can be nobody's name, is refused.
pub fn beneath(path: &[u8]) -> Result<Vec<u8>, Fault> {
    let refuse = |why| Err(Fault::Path { path: path.to_vec(), why });
    if path.is_empty() {
        return refuse("is no name");
    }
    if path[0] == b'/' {
        return refuse("is an absolute name, which leads out of the tree");
    }
    if path.contains(&0) {
        return refuse("has a NUL byte in its name");
    }
    let mut out = Vec::with_capacity(path.len());
    for name in path.split(|b| *b == b'/') {
        match name {
            b"" | b"." => continue,
            b".." => return refuse("leads out of the tree"),
            name if name.len() > MOST_NAME => return refuse("has a name of more than 255 bytes"),
            name => {
                if !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(name);
            }
        }
    }
    if out.len() > MOST { refuse("is a path of more than 4095 bytes") } else { Ok(out) }
}

/// A path as the directory that it is in, empty for the root, and the name there.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}
