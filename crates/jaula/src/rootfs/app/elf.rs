//! What an ELF file says about the files it needs (elf(5)): its loader, its libraries, where
//! to look for them, and the libraries that it opens later if they are there.
//!
//! Only headers, the dynamic section, its strings and the notes are read, and no more than 16 MiB
//! of them: the file may be hostile.

use super::machine::{self, HOST};
use object::elf;
use object::read::elf::{Dyn, FileHeader, NoteIterator, ProgramHeader};
use object::{LittleEndian, ReadRef};
use serde::Deserialize;
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How many bytes of one file are read at most. A browser's dynamic section, strings and notes
/// are below 1 MiB.
const BUDGET: u64 = 16 << 20;
/// How many libraries one file may name; the largest programs name some hundreds.
const MAX_NAMES: usize = 4096;
/// `n_type` of a note about `dlopen`
/// (<https://uapi-group.org/specifications/specs/elf_dlopen_metadata/>).
const NOTE_DLOPEN: u32 = 0x407c_0c0a;

type Header = elf::FileHeader64<LittleEndian>;
type Segment = elf::ProgramHeader64<LittleEndian>;
const ENDIAN: LittleEndian = LittleEndian;

/// What an executable or a shared library needs, as far as it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// `PT_INTERP`: the loader. Programs without one are static.
    pub interpreter: Option<PathBuf>,
    /// `DT_SONAME`: the name by which others link it.
    pub soname: Option<OsString>,
    /// `DT_NEEDED` and `DT_FILTER`: libraries without which it does not start, in order.
    pub needed: Vec<OsString>,
    /// `DT_AUXILIARY`: libraries that the loader takes along when they are there.
    pub auxiliary: Vec<OsString>,
    /// `DT_RPATH`, not yet split and expanded.
    pub rpath: Option<OsString>,
    /// `DT_RUNPATH`, not yet split and expanded.
    pub runpath: Option<OsString>,
    /// `DF_1_NODEFLIB`: the loader's default directories are not searched.
    pub no_default_directories: bool,
    /// Is it a program, even when it is of the same type as a library (`DF_1_PIE`)?
    pub program: bool,
    /// What it opens at run time, if there.
    pub opens: Vec<Opens>,
}

/// One library that a program opens at run time (dlopen(3)), from its `.note.dlopen`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Opens {
    /// The names it tries, the best first.
    #[serde(rename = "soname")]
    pub names: Vec<String>,
    /// How much it matters.
    #[serde(default)]
    pub priority: Priority,
}

/// How much a library that is opened at run time matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The program does not work without it.
    Required,
    /// Important features need it.
    #[default]
    Recommended,
    /// Few need it.
    #[serde(other)]
    Suggested,
}

/// Why a file is not one that this host's loader takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadElf {
    /// It does not begin with the four bytes of ELF.
    #[error("it is not an ELF file")]
    NotElf,
    /// It is for another processor.
    #[error("it is for {0}, and this host is {host}", host = HOST.name)]
    Architecture(String),
    /// It is an object file, a core dump or a kernel module.
    #[error("it is neither a program nor a shared library (ELF type {0})")]
    Kind(u16),
    /// It ends too early, contradicts itself or asks for unreasonably much.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

/// Reads what an ELF file needs. `data` is the file: bytes, or an `object::ReadCache` of it.
///
/// # Errors
/// If it is none, is damaged, or not for this host's processor.
pub fn parse<'d>(data: impl ReadRef<'d>) -> Result<Elf, BadElf> {
    let left = Cell::new(BUDGET);
    let data = Budgeted { data, left: &left };
    let header = header(data)?;
    let segments =
        header.program_headers(ENDIAN, data).map_err(|_| BadElf::Damaged("its program headers"))?;
    let mut elf = Elf { program: header.e_type(ENDIAN) == elf::ET_EXEC, ..Elf::default() };
    for segment in segments {
        match segment.p_type(ENDIAN) {
            elf::PT_INTERP => {
                let path = segment
                    .interpreter(ENDIAN, data)
                    .ok()
                    .flatten()
                    .ok_or(BadElf::Damaged("the name of its loader"))?;
                elf.interpreter = Some(PathBuf::from(OsStr::from_bytes(path)));
            }
            elf::PT_DYNAMIC => dynamic(&mut elf, segment, segments, data)?,
            // Notes are advice: a broken one says nothing, as in the tools that write them.
            elf::PT_NOTE => {
                if let Ok(Some(notes)) = segment.notes(ENDIAN, data) {
                    elf.opens.extend(opens(notes));
                }
            }
            _ => {}
        }
    }
    Ok(elf)
}

/// The loader of a program, of which this is the beginning. `None` if it is no program, or needs none.
pub fn loader(head: &[u8]) -> Option<PathBuf> {
    let segments = header(head).ok()?.program_headers(ENDIAN, head).ok()?;
    let path = segments.iter().find_map(|segment| segment.interpreter(ENDIAN, head).ok().flatten())?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

/// The header, if it is one for this host.
fn header<'d>(data: impl ReadRef<'d>) -> Result<&'d Header, BadElf> {
    let magic = data.read_bytes_at(0, 4).map_err(|()| BadElf::NotElf)?;
    if magic != b"\x7fELF" {
        return Err(BadElf::NotElf);
    }
    // Class, byte order and machine stand at the same place in every ELF file.
    let short = |()| BadElf::Damaged("its header");
    let head = data.read_bytes_at(0, 20).map_err(short)?;
    let bits = if head[4] == 1 { 32 } else { 64 };
    let number = [head[18], head[19]];
    let machine = if head[5] == 2 { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) };
    if (machine, bits, head[5]) != (HOST.elf, 64, 1) {
        return Err(BadElf::Architecture(machine::name(machine, bits)));
    }
    let header = Header::parse(data).map_err(|_| BadElf::Damaged("its header"))?;
    match header.e_type(ENDIAN) {
        elf::ET_EXEC | elf::ET_DYN => Ok(header),
        other => Err(BadElf::Kind(other.0)),
    }
}

/// Reads the dynamic section into `elf`.
fn dynamic<'d>(
    elf: &mut Elf,
    section: &Segment,
    segments: &[Segment],
    data: impl ReadRef<'d>,
) -> Result<(), BadElf> {
    let entries =
        section.dynamic(ENDIAN, data).ok().flatten().ok_or(BadElf::Damaged("its dynamic section"))?;
    let ended = entries.iter().position(|e| e.tag(ENDIAN) == elf::DT_NULL).unwrap_or(entries.len());
    let entries = &entries[..ended];
    let value = |tag| entries.iter().find(|e| e.tag(ENDIAN) == tag).map(|e| e.val(ENDIAN));
    let table = match (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) {
        (Some(address), Some(size)) => file_range(segments, address, size),
        _ => None,
    };
    let string = |offset: u64| -> Result<OsString, BadElf> {
        let range = table.clone().ok_or(BadElf::Damaged("it has no strings"))?;
        let start = range.start.saturating_add(offset).min(range.end);
        let text = data
            .read_bytes_at_until(start..range.end, 0)
            .map_err(|()| BadElf::Damaged("a string of its dynamic section"))?;
        Ok(OsStr::from_bytes(text).to_owned())
    };
    for entry in entries {
        let value = entry.val(ENDIAN);
        match entry.tag(ENDIAN) {
            elf::DT_NEEDED | elf::DT_FILTER => elf.needed.push(string(value)?),
            elf::DT_AUXILIARY => elf.auxiliary.push(string(value)?),
            elf::DT_SONAME => elf.soname = Some(string(value)?),
            elf::DT_RPATH => elf.rpath = Some(string(value)?),
            elf::DT_RUNPATH => elf.runpath = Some(string(value)?),
            elf::DT_FLAGS_1 => {
                elf.no_default_directories = value & elf::DF_1_NODEFLIB.0 != 0;
                elf.program |= value & elf::DF_1_PIE.0 != 0;
            }
            _ => {}
        }
        if elf.needed.len() + elf.auxiliary.len() > MAX_NAMES {
            return Err(BadElf::Damaged("it names thousands of libraries"));
        }
    }
    Ok(())
}

/// Where in the file the `size` bytes stand that the loader puts at `address`, cut to the
/// segment that they begin in.
fn file_range(segments: &[Segment], address: u64, size: u64) -> Option<Range<u64>> {
    segments.iter().filter(|s| s.p_type(ENDIAN) == elf::PT_LOAD).find_map(|segment| {
        let (offset, length) = segment.file_range(ENDIAN);
        let inside = address.checked_sub(segment.p_vaddr(ENDIAN)).filter(|i| *i < length)?;
        let start = offset.checked_add(inside)?;
        Some(start..start.checked_add(size.min(length - inside))?)
    })
}

/// The libraries that notes say are opened at run time; JSON arrays, padded with zeros.
fn opens(notes: NoteIterator<'_, Header>) -> Vec<Opens> {
    let ours = notes
        .filter_map(Result::ok)
        .filter(|note| note.n_type(ENDIAN).0 == NOTE_DLOPEN && note.name() == b"FDO");
    ours.filter_map(|note| {
        let end = note.desc().iter().position(|b| *b == 0).unwrap_or_else(|| note.desc().len());
        serde_json::from_slice::<Vec<Opens>>(&note.desc()[..end]).ok()
    })
    .flatten()
    .take(MAX_NAMES)
    .collect()
}

/// A file of which only so many bytes can be read: what a hostile header asks for, one
/// structure over the other, would otherwise be read into memory.
#[derive(Clone, Copy)]
struct Budgeted<'b, R> {
    data: R,
    left: &'b Cell<u64>,
}

impl<'d, R: ReadRef<'d>> ReadRef<'d> for Budgeted<'_, R> {
    fn len(self) -> Result<u64, ()> {
        self.data.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'d [u8], ()> {
        self.left.set(self.left.get().checked_sub(size).ok_or(())?);
        self.data.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'d [u8], ()> {
        let text = self.data.read_bytes_at_until(range, delimiter)?;
        // The file is read in pieces of 256 bytes until the string ends.
        self.left.set(self.left.get().checked_sub(text.len().max(256) as u64).ok_or(())?);
        Ok(text)
    }
}
