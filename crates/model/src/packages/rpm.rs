//! What `rpm -q --queryformat` prints for [`FORMAT`]: a line for each file of a package.

use super::Package;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// What rpm is asked to print of a package.
pub const FORMAT: &str = "[%{FILENAMES}\t%{=NAME}\t%{=EVR}\n]";

/// Goes through the lines, and tells the owners of those files that are wanted.
///
/// `wanted` has each path by which a file may be listed; its values are the files that are meant.
pub fn files<S: BuildHasher>(
    text: &str,
    wanted: &HashMap<String, String, S>,
    mut owns: impl FnMut(&str, Package),
) {
    for line in text.lines() {
        // What is no such line is rpm's word that nobody owns a file.
        let mut fields = line.rsplitn(3, '\t');
        let (Some(version), Some(name), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if let Some(file) = wanted.get(path) {
            owns(file, Package { name: name.to_owned(), version: version.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        let text = "file /etc/x is not owned by any package\n/usr/lib64/libc.so.6\tglibc\t2.38-1\n/usr/bin/ldd\tglibc\t2.38-1\n";
        let wanted = HashMap::from([("/usr/lib64/libc.so.6".to_owned(), "/usr/lib64/libc.so.6".to_owned())]);
        let mut all = Vec::new();
        files(text, &wanted, |file, package| all.push((file.to_owned(), package)));
        let glibc = Package { name: "glibc".to_owned(), version: "2.38-1".to_owned() };
        assert_eq!(all, [("/usr/lib64/libc.so.6".to_owned(), glibc)]);
    }
}
