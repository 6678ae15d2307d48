//! The first line of a script: `#!interpreter argument` (execve(2)), and what `env` makes of
//! its argument (env(1)).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// How much of a file the kernel looks at (`BINPRM_BUF_SIZE`).
pub const HEAD: usize = 256;

/// How many scripts may be interpreted by scripts before a program must come (the kernel's
/// `exec_binprm`: five rewrites, then `ELOOP`).
pub const MAX_NESTED: usize = 5;

/// What a script's first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// All that follows it, as one argument.
    pub argument: Option<OsString>,
}

/// Reads the first line of a file, of which `head` is the beginning (at most [`HEAD`] bytes
/// count). `None` if the kernel would not take it for a script (fs/binfmt_script.c).
pub fn parse(head: &[u8]) -> Option<Script> {
    let head = &head[..head.len().min(HEAD)];
    let line = head.strip_prefix(b"#!")?;
    // A file that ends without a newline reads as if zeros followed.
    let ended = line.iter().position(|b| matches!(b, b'\n' | 0));
    let whole = ended.is_some() || head.len() < HEAD;
    let line = trim(&line[..ended.unwrap_or(line.len())]);
    let name = line.iter().position(|b| matches!(b, b' ' | b'\t'));
    if line.is_empty() || !(whole || name.is_some()) {
        return None; // nothing, or a name that may have been cut
    }
    let (interpreter, argument) = line.split_at(name.unwrap_or(line.len()));
    let argument = trim(argument);
    Some(Script {
        interpreter: PathBuf::from(OsStr::from_bytes(interpreter)),
        argument: (!argument.is_empty()).then(|| OsStr::from_bytes(argument).to_owned()),
    })
}

/// The program that `env` starts when a script hands it this argument: `NAME`, or with `-S`
/// a command line of options, `NAME=value`s and then the program.
pub fn program_of_env(argument: &OsStr) -> Option<OsString> {
    let argument = argument.as_bytes();
    let split = ["-S", "-vS", "--split-string="].iter().find_map(|p| argument.strip_prefix(p.as_bytes()));
    let Some(line) = split else {
        let program = !argument.starts_with(b"-") && !argument.contains(&b'=');
        return program.then(|| OsString::from_vec(argument.to_vec()));
    };
    let mut words = words(line).into_iter();
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"-u" | b"-C" | b"-a" | b"--unset" | b"--chdir" | b"--argv0" => drop(words.next()),
            b"--" => return words.find(|w| !w.contains(&b'=')).map(OsString::from_vec),
            option if option.starts_with(b"-") => {}
            variable if variable.contains(&b'=') => {}
            _ => return Some(OsString::from_vec(word)),
        }
    }
    None
}

/// Splits as `env -S` does: at blanks, with quotes and backslashes; `#` at a word's start ends it.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Vec<u8>>, None);
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\'' | b'"', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(open)) if byte == open => quote = None,
            (b' ' | b'\t', None) => words.extend(word.take()),
            (b'#', None) if word.is_none() => break,
            (b'\\', _) => match bytes.next() {
                Some(b'c') => break,
                Some(b'_') if quote.is_none() => words.extend(word.take()),
                Some(b'_') => word.get_or_insert_default().push(b' '),
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => break,
            },
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

fn trim(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !blank(b)).map_or(start, |e| e + 1);
    &text[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(interpreter: &str, argument: Option<&str>) -> Option<Script> {
        Some(Script { interpreter: interpreter.into(), argument: argument.map(OsString::from) })
    }

    #[test]
    fn first_lines() {
        for (head, expected) in [
            ("#!/bin/sh", script("/bin/sh", None)),
            ("#!/bin/sh\nexit", script("/bin/sh", None)),
            ("#! \t/bin/sh -e  x \t\n", script("/bin/sh", Some("-e  x"))),
            ("#!/usr/bin/env python3\n", script("/usr/bin/env", Some("python3"))),
            ("#!/bin/sh\0junk\n", script("/bin/sh", None)),
            ("#!sh\n", script("sh", None)),
            ("#!", None),
            ("#!\n/bin/sh", None),
            ("#!  \n", None),
            ("# !/bin/sh\n", None),
            ("", None),
        ] {
            assert_eq!(parse(head.as_bytes()), expected, "{head:?}");
        }
    }

    #[test]
    fn long_lines() {
        let cut = format!("#!/{}\n", "x".repeat(300));
        assert_eq!(parse(cut.as_bytes()), None, "the name is cut");
        let fits = format!("#!/{}\n", "x".repeat(HEAD - 4));
        assert!(parse(fits.as_bytes()).is_some());
        let argument = format!("#!/x {}\n", "y".repeat(300));
        assert_eq!(parse(argument.as_bytes()).unwrap().argument.unwrap().len(), HEAD - 5);
    }

    #[test]
    fn env() {
        for (argument, program) in [
            ("python3", Some("python3")),
            ("python3 -u", Some("python3 -u")), // what env looks for, and does not find
            ("-S python3 -u", Some("python3")),
            ("-Spython3", Some("python3")),
            ("-S -i -u HOME PATH=/bin A=b perl -w", Some("perl")),
            ("-S -- A=b perl", Some("perl")),
            ("--split-string=\"my prog\" x", Some("my prog")),
            ("-S 'a'\\_b", Some("a")),
            ("-S # nothing", None),
            ("-S", None),
            ("-i", None),
            ("A=b", None),
        ] {
            assert_eq!(program_of_env(OsStr::new(argument)), program.map(OsString::from), "{argument:?}");
        }
    }
}
