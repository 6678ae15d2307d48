use super::gather::{Before, Gather, before};
use super::*;
use proptest::prelude::*;

/// What one entry's blocks say, read as an archive is.
fn read(blocks: &[u8]) -> Result<(Entry, usize), Fault> {
    let mut gather = Gather::default();
    let mut at = 0;
    let mut next = || {
        let block: [u8; BLOCK] = blocks[at..at + BLOCK].try_into().unwrap();
        at += BLOCK;
        block
    };
    loop {
        let header = header::parse(&next(), 0)?.ok_or(Fault::Cut)?;
        if before(&header)? == Before::Entry {
            let (mut entry, has_map) = gather.entry(header, Vec::new())?;
            let mut map = sparse::Map::default();
            if has_map {
                let pieces = loop {
                    if let Some(pieces) = map.add(&next()).unwrap() {
                        break pieces;
                    }
                };
                entry.size -= map.taken;
                let real = entry.sparse.as_ref().unwrap().real;
                entry.sparse = Some(sparse::Sparse::new(real, pieces, entry.size).unwrap());
            }
            return Ok((entry, at));
        }
        let size = usize::try_from(header.size).unwrap();
        let content: Vec<u8> = (0..size.div_ceil(BLOCK)).flat_map(|_| next()).take(size).collect();
        gather.add(&header, &content)?;
    }
}

fn entry() -> Entry {
    Entry {
        path: b"usr/bin/x".to_vec(),
        kind: Kind::File,
        mode: 0o4755,
        user: 0,
        group: 65535,
        size: 0,
        changed: (1_700_000_000, 0),
        attributes: Vec::new(),
        access: None,
        default: None,
        sparse: None,
    }
}

#[test]
fn what_is_written_is_read() {
    let plain = entry();
    assert_eq!(write::blocks(&plain).len(), BLOCK);
    let long = vec![b'x'; 200];
    let all = [
        plain.clone(),
        Entry { path: [&b"a/"[..], &long].concat(), ..plain.clone() },
        Entry { kind: Kind::Symlink(long.clone()), ..plain.clone() },
        Entry { kind: Kind::Hardlink(b"b".to_vec()), ..plain.clone() },
        Entry { kind: Kind::Directory, changed: (-5, 250_000_000), ..plain.clone() },
        Entry { kind: Kind::Fifo, changed: (7, 1), ..plain.clone() },
        Entry { kind: Kind::Device { block: true, major: 8, minor: 1 }, ..plain.clone() },
        Entry { size: 10 << 30, user: 1 << 30, ..plain.clone() },
        Entry {
            attributes: vec![
                (b"user.a".to_vec(), b"=\n\0".to_vec()),
                (b"security.capability".to_vec(), vec![1]),
            ],
            access: Some(b"user::rwx".to_vec()),
            default: Some(b"other::---".to_vec()),
            ..plain.clone()
        },
        Entry {
            size: 4096,
            sparse: sparse::Sparse::new(
                10 << 30,
                vec![sparse::Piece { at: 0, length: 96 }, sparse::Piece { at: 1 << 33, length: 4000 }],
                4096,
            ),
            ..plain
        },
    ];
    for entry in all {
        let blocks = write::blocks(&entry);
        assert_eq!(blocks.len() % BLOCK, 0);
        assert_eq!(read(&blocks), Ok((entry, blocks.len())));
    }
}

#[test]
fn a_damaged_header_is_refused() {
    let mut blocks = write::blocks(&entry());
    blocks[3] ^= 1;
    assert_eq!(read(&blocks), Err(Fault::Checksum(0)));
    assert_eq!(header::parse(&[0; BLOCK], 0), Ok(None));
}

#[test]
fn numbers() {
    for (field, number) in [
        (&b"0000644\0"[..], Some(0o644)),
        (b"    644 ", Some(0o644)),
        (b"\0\0\0\0", Some(0)),
        (b"9", None),
        (b"\x80\0\0\0\0\0\0\x01\0", Some(256)),
        (b"\xff\xff\xff\xff", Some(-1)),
        (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
    ] {
        assert_eq!(header::number(field), number, "{field:?}");
    }
}

#[test]
fn records() {
    let mut pax = pax::Pax::default();
    pax.add(b"20 mtime=-1.2500000\n12 path=a=b\n").unwrap();
    assert_eq!((pax.changed, pax.path.as_deref()), (Some((-2, 750_000_000)), Some(&b"a=b"[..])));
    pax.add(b"32 LIBARCHIVE.xattr.user.%61=AQ\n").unwrap();
    assert_eq!(pax.attributes, [(b"user.a".to_vec(), vec![1])]);
    pax.add(b"25 SCHILY.xattr.user.a=2\n").unwrap();
    assert_eq!(pax.attributes, [(b"user.a".to_vec(), b"2".to_vec())]);
    for bad in ["x", "5 a=b", "99 a=b\n", "6 ab\n", "9 size=x\n", "0 a=b\n", "22 GNU.sparse.numbytes=1\n"] {
        assert_eq!(pax::Pax::default().add(bad.as_bytes()), Err(Fault::Record), "{bad:?}");
    }
}

#[test]
fn sparse_maps_of_the_other_versions() {
    let mut pax = pax::Pax::default();
    pax.add(b"24 GNU.sparse.size=1000\n25 GNU.sparse.offset=100\n26 GNU.sparse.numbytes=10\n").unwrap();
    assert_eq!(pax.sparse_map.as_deref(), Some(&[100, 10][..]));
    pax.add(b"27 GNU.sparse.map=0,1,5,10\n").unwrap();
    let pieces = sparse::pairs(pax.sparse_map.as_deref().unwrap()).unwrap();
    assert!(sparse::Sparse::new(15, pieces.clone(), 11).is_some());
    for (real, held) in [(14, 11), (15, 12), (u64::MAX, 11)] {
        assert!(sparse::Sparse::new(real, pieces.clone(), held).is_none());
    }
    assert!(sparse::pairs(&[1]).is_none());
}

#[test]
fn names() {
    for (path, clean) in [("./", ""), (".", ""), ("./a//b/./c/", "a/b/c"), ("a\nb", "a\nb"), ("...", "...")] {
        assert_eq!(path::beneath(path.as_bytes()), Ok(clean.as_bytes().to_vec()), "{path:?}");
    }
    let (long, deep) = ("x".repeat(256), "x/".repeat(2100));
    for path in ["", "/", "/etc/passwd", "..", "a/../b", "a/..", "a\0b", &long, &deep] {
        assert!(path::beneath(path.as_bytes()).is_err(), "{path:?}");
    }
    assert_eq!(path::split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
}

#[test]
fn access_lists() {
    let look = |name: &str| (name == "www-data").then_some(33);
    let text = "user::rwx,user:www-data:r-x,user:joe:rw-:1000,group::r-x,mask::rwx,other::---";
    let value = acl::value(text.as_bytes(), look, look).unwrap();
    assert_eq!(value.len(), 4 + 6 * 8);
    let shown = "user::rwx,user:33:r-x,user:1000:rw-,group::r-x,mask::rwx,other::---";
    assert_eq!(acl::text(&value).as_deref(), Some(shown));
    assert_eq!(acl::ids(&value), Some(vec![33, 1000]));
    assert_eq!(acl::value(shown.as_bytes(), |_| None, |_| None), Ok(value));
    for bad in ["user:joe:rwx", "x::r", "user::z", "mask:1:r"] {
        assert!(acl::value(bad.as_bytes(), look, look).is_err(), "{bad:?}");
    }
}

#[test]
fn base64_of_attributes() {
    for (text, bytes) in [("", &b""[..]), ("AQ==", b"\x01"), ("AQI", b"\x01\x02"), ("AQID", b"\x01\x02\x03")]
    {
        assert_eq!(base64::decode(text.as_bytes()).as_deref(), Some(bytes));
    }
    assert_eq!(base64::decode(b"A"), None);
    assert_eq!(base64::decode(b"A?=="), None);
}

proptest! {
    #[test]
    fn any_name_and_attribute_survive(
        path in prop::collection::vec(1u8..=255, 1..300),
        name in "[a-z.]{1,20}",
        value in prop::collection::vec(any::<u8>(), 0..300),
        seconds in -10_000_000_000i64..10_000_000_000,
        nanoseconds in 0u32..1_000_000_000,
    ) {
        prop_assume!(!path.ends_with(b"/"));
        let attributes = vec![(name.into_bytes(), value)];
        let one = Entry { path, attributes, changed: (seconds, nanoseconds), ..entry() };
        prop_assert_eq!(read(&write::blocks(&one)).map(|(entry, _)| entry), Ok(one));
    }
}
