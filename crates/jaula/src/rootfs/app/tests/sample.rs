//! ELF files as small as they can be: what tests put on their hosts.

use super::super::machine::HOST;

/// What one says about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample<'a> {
    pub(crate) interpreter: Option<&'a str>,
    pub(crate) soname: Option<&'a str>,
    pub(crate) needed: &'a [&'a str],
    pub(crate) rpath: Option<&'a str>,
    pub(crate) runpath: Option<&'a str>,
    /// The JSON of a `.note.dlopen`.
    pub(crate) opens: Option<&'a str>,
    /// `e_machine`, if not this host's.
    pub(crate) machine: Option<u16>,
}

impl Sample<'_> {
    /// The file: header, program headers, loader's name, strings, dynamic section, note.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let interpreter = self.interpreter.map(|i| [i.as_bytes(), b"\0"].concat()).unwrap_or_default();
        let mut strings = vec![0];
        let mut dynamic = Vec::new();
        let tags = self.needed.iter().map(|n| (1, Some(*n)));
        for (tag, text) in tags.chain([(14, self.soname), (15, self.rpath), (29, self.runpath)]) {
            let Some(text) = text else { continue };
            dynamic.extend([tag, strings.len() as u64]);
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
        }
        let note = self.opens.map(note).unwrap_or_default();
        let headers = 64 + 56 * 4;
        let strings_at = headers + interpreter.len();
        dynamic.extend([5, strings_at as u64, 10, strings.len() as u64, 0, 0]);
        let dynamic: Vec<u8> = dynamic.iter().flat_map(|n: &u64| n.to_le_bytes()).collect();
        let dynamic_at = strings_at + strings.len();
        let note_at = dynamic_at + dynamic.len();
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(3u16.to_le_bytes());
        file.extend(self.machine.unwrap_or(HOST.elf).to_le_bytes());
        file.extend(1u32.to_le_bytes());
        for number in [0u64, 64, 0] {
            file.extend(number.to_le_bytes());
        }
        file.extend([0; 4]);
        for number in [64u16, 56, 4, 64, 0, 0] {
            file.extend(number.to_le_bytes());
        }
        let present = |kind: u32, part: &[u8]| if part.is_empty() { 0 } else { kind };
        for (kind, at, size) in [
            (present(3, &interpreter), headers, interpreter.len()),
            (1, 0, note_at + note.len()),
            (2, dynamic_at, dynamic.len()),
            (present(4, &note), note_at, note.len()),
        ] {
            file.extend(kind.to_le_bytes());
            file.extend(4u32.to_le_bytes());
            for number in [at, at, at, size, size, 4] {
                file.extend((number as u64).to_le_bytes());
            }
        }
        [file, interpreter, strings, dynamic, note].concat()
    }
}

fn note(json: &str) -> Vec<u8> {
    let mut text = json.as_bytes().to_vec();
    text.push(0);
    let mut note = Vec::new();
    for number in [4, u32::try_from(text.len()).unwrap(), 0x407c_0c0a] {
        note.extend(number.to_le_bytes());
    }
    note.extend(b"FDO\0");
    text.resize(text.len().next_multiple_of(4), 0);
    note.extend(text);
    note
}
