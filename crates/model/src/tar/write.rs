//! Entries as blocks: ustar headers, and pax records for what does not fit in them.
//!
//! The same entry is the same bytes, always: archives of the same tree are the same archive.

use super::{BLOCK, Entry, Kind, Moment, sparse::Sparse};

/// The blocks that end an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The blocks before an entry's content: its header, one with records before it where they are needed, and behind
/// it the map of a sparse file. `entry.size` is what follows them. For a sparse file that is the sum of its pieces.
pub fn blocks(entry: &Entry) -> Vec<u8> {
    let mut records = Vec::new();
    let mut out = Vec::with_capacity(3 * BLOCK);
    let map = entry.sparse.as_ref().map(map).unwrap_or_default();
    let (path, size) = (&entry.path, entry.size + map.len() as u64);
    let mut name = path.clone();
    if let Some(sparse) = &entry.sparse {
        record(&mut records, b"GNU.sparse.major", b"1");
        record(&mut records, b"GNU.sparse.minor", b"0");
        record(&mut records, b"GNU.sparse.name", path);
        record(&mut records, b"GNU.sparse.realsize", sparse.real.to_string().as_bytes());
        name = [b"GNUSparseFile.0/", &path[..]].concat();
    }
    let (kind, link): (u8, &[u8]) = match &entry.kind {
        Kind::File => (b'0', b""),
        Kind::Hardlink(to) => (b'1', to),
        Kind::Symlink(to) => (b'2', to),
        Kind::Device { block: false, .. } => (b'3', b""),
        Kind::Device { block: true, .. } => (b'4', b""),
        Kind::Directory => (b'5', b""),
        Kind::Fifo => (b'6', b""),
    };
    if name.len() > 100 && entry.sparse.is_none() {
        record(&mut records, b"path", path);
    }
    if link.len() > 100 {
        record(&mut records, b"linkpath", link);
    }
    for (key, number, most) in
        [("size", size, 1 << 33), ("uid", entry.user, 1 << 21), ("gid", entry.group, 1 << 21)]
    {
        if number >= most {
            record(&mut records, key.as_bytes(), number.to_string().as_bytes());
        }
    }
    if entry.changed.1 != 0 || !(0..1 << 33).contains(&entry.changed.0) {
        record(&mut records, b"mtime", decimal(entry.changed).as_bytes());
    }
    for (key, list) in [("SCHILY.acl.access", &entry.access), ("SCHILY.acl.default", &entry.default)] {
        if let Some(list) = list {
            record(&mut records, key.as_bytes(), list);
        }
    }
    for (name, value) in &entry.attributes {
        record(&mut records, &[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    if !records.is_empty() {
        let name = [b"PaxHeaders/", last(path)].concat();
        let header =
            Fields { name: &name, kind: b'x', mode: 0o644, size: records.len() as u64, ..Fields::NONE };
        out.extend(header.block());
        out.extend(&records);
        fill(&mut out);
    }
    let (major, minor) = match entry.kind {
        Kind::Device { major, minor, .. } => (major, minor),
        _ => (0, 0),
    };
    let (user, group, changed) = (entry.user, entry.group, entry.changed.0);
    let mode = entry.mode & 0o7777;
    out.extend(Fields { name: &name, link, kind, mode, user, group, size, changed, major, minor }.block());
    out.extend(map);
    out
}

/// How many bytes fill the last block after so many.
pub fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK - over }
}

fn fill(out: &mut Vec<u8>) {
    out.resize(out.len() + padding(out.len() as u64), 0);
}

fn last(path: &[u8]) -> &[u8] {
    super::path::split(path).1
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend(format!("{length} ").bytes());
    out.extend(key);
    out.push(b'=');
    out.extend(value);
    out.push(b'\n');
}

fn decimal((seconds, nanoseconds): Moment) -> String {
    match (seconds, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., n) => format!("{seconds}.{n:09}"),
        // Before 1970 the parts count backwards.
        (seconds, n) => format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - n),
    }
}

/// The map of a sparse file (version 1.0).
fn map(sparse: &Sparse) -> Vec<u8> {
    let mut out = format!("{}\n", sparse.pieces.len()).into_bytes();
    for piece in &sparse.pieces {
        out.extend(format!("{}\n{}\n", piece.at, piece.length).bytes());
    }
    fill(&mut out);
    out
}

/// The fields of a ustar header.
struct Fields<'a> {
    name: &'a [u8],
    link: &'a [u8],
    kind: u8,
    mode: u32,
    user: u64,
    group: u64,
    size: u64,
    changed: i64,
    major: u32,
    minor: u32,
}

impl Fields<'_> {
    const NONE: Self = Self {
        name: b"",
        link: b"",
        kind: 0,
        mode: 0,
        user: 0,
        group: 0,
        size: 0,
        changed: 0,
        major: 0,
        minor: 0,
    };

    /// The header; what is too long is cut, since a pax record has it whole.
    fn block(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut text = |at: usize, most: usize, text: &[u8]| {
            let text = &text[..text.len().min(most)];
            block[at..at + text.len()].copy_from_slice(text);
        };
        let octal = |number: u64, digits: usize| {
            let most = (1u64 << (3 * digits)) - 1;
            format!("{:0digits$o}", if number > most { 0 } else { number })
        };
        text(0, 100, self.name);
        text(100, 8, octal(self.mode.into(), 7).as_bytes());
        text(108, 8, octal(self.user, 7).as_bytes());
        text(116, 8, octal(self.group, 7).as_bytes());
        text(124, 12, octal(self.size, 11).as_bytes());
        text(136, 12, octal(self.changed.try_into().unwrap_or(0), 11).as_bytes());
        text(148, 8, b"        ");
        text(156, 1, &[self.kind]);
        text(157, 100, self.link);
        text(257, 8, b"ustar\x0000");
        if self.major | self.minor != 0 {
            text(329, 8, octal(self.major.into(), 7).as_bytes());
            text(337, 8, octal(self.minor.into(), 7).as_bytes());
        }
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{}\0 ", octal(sum, 6)).as_bytes());
        block
    }
}
