//! apk's database: `/lib/apk/db/installed` (apk-package(5)): a paragraph for each package, with a
//! letter before each line.

use super::Package;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// Goes through the installed packages, and tells the owners of those files that are wanted.
///
/// `wanted` has each path by which a file may be listed; its values are the files that are meant.
pub fn installed<S: BuildHasher>(
    text: &str,
    wanted: &HashMap<String, String, S>,
    mut owns: impl FnMut(&str, &Package),
) {
    for paragraph in text.split("\n\n") {
        let mut package = Package { name: String::new(), version: String::new() };
        let mut directory = "";
        for line in paragraph.lines() {
            match line.split_once(':') {
                Some(("P", name)) => name.clone_into(&mut package.name),
                Some(("V", version)) => version.clone_into(&mut package.version),
                Some(("F", path)) => directory = path,
                Some(("R", name)) => {
                    let slash = if directory.is_empty() { "" } else { "/" };
                    if let Some(file) = wanted.get(&format!("/{directory}{slash}{name}")) {
                        owns(file, &package);
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1x=\nR:libc.so\n\n\
                    P:busybox\nV:1.36\nF:\nR:top\nF:bin\nR:busybox\n";
        let wanted: HashMap<String, String> =
            ["/lib/ld-musl-x86_64.so.1", "/bin/busybox", "/top", "/lib/none"]
                .map(|p| (p.to_owned(), p.to_owned()))
                .into();
        let mut all = Vec::new();
        installed(text, &wanted, |file, package| {
            all.push(format!("{file} {} {}", package.name, package.version))
        });
        assert_eq!(
            all,
            ["/lib/ld-musl-x86_64.so.1 musl 1.2.5-r0", "/top busybox 1.36", "/bin/busybox busybox 1.36"]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "([PVFR]:|\n|[a-z/]){0,30}") {
            installed(&text, &HashMap::from([(text.clone(), text.clone())]), |_, _| {});
        }
    }
}
