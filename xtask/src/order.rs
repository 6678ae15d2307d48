//! The order of the functions in the release build: those that a start runs stand side by side
//! (docs/decisions/036-hot-code.md, `crates/cli/build.rs`).

use crate::release;
use crate::shell::{Result, command, output, run, target, top};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

const HEAD: &str = "\
# What a start, an exec and a stop run, in the order in which it is first called; written by `cargo xtask order`
# from what was really executed, read by build.rs.
";

/// Runs the release build one instruction at a time and writes `crates/cli/hot.txt`.
pub(crate) fn order() -> Result {
    let jaula = release::build()?;
    let map = jaula.with_extension("map");
    let map = fs::read_to_string(&map)
        .map_err(|e| format!("{}: {e}; only builds for musl have an order", map.display()))?;
    let sections = sections(&map);
    let mut names: Vec<String> = Vec::new();
    for address in Steps::prepare(jaula)?.all()? {
        let section = sections.range(..=address).next_back();
        let Some((_, (_, name))) = section.filter(|(start, (size, _))| address < *start + size) else {
            continue;
        };
        let name = pattern(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let file = top().join("crates/cli/hot.txt");
    fs::write(&file, format!("{HEAD}{}\n", names.join("\n")))?;
    println!("order: {} functions in {}", names.len(), file.display());
    Ok(())
}

/// What is run, and how its addresses are had.
struct Steps {
    jaula: PathBuf,
    directory: PathBuf,
    root: String,
}

impl Steps {
    fn prepare(jaula: PathBuf) -> Result<Self> {
        let directory = target().join("order");
        let root = directory.join("root");
        for inside in ["bin", "proc", "dev", "run", "tmp"] {
            fs::create_dir_all(root.join(inside))?;
        }
        let directory = directory.canonicalize()?;
        for program in ["step", "true"] {
            let source = top().join("bench").join(program).with_extension("c");
            run(command(&["cc", "-static", "-O2", "-o"]).arg(directory.join(program)).arg(source))?;
        }
        fs::copy(directory.join("true"), directory.join("root/bin/true"))?;
        Ok(Self { jaula, root: format!("dir:{}", directory.join("root").display()), directory })
    }

    /// All addresses: those of a run first, each in the order in which it was first reached.
    fn all(&self) -> Result<Vec<u64>> {
        let state = PathBuf::from("/dev/shm/jaula-order");
        fs::create_dir_all(&state)?;
        self.begin(&["run", "--root", &self.root, "--", "/bin/true", "say"], &state)?.wait()?;
        let mut all = self.addresses()?;
        self.plain(&["create", "order", "--root", &self.root, "--", "/bin/true", "wait"], &state)?;
        // Its keeper is run so as well, and ends when the jail does.
        let mut start = self.begin(&["start", "order"], &state)?;
        while !self.plain(&["list", "--json"], &state)?.contains("\"running\"") {
            std::thread::sleep(Duration::from_millis(200));
        }
        let exec = self.directory.join("exec");
        self.step(&exec, &["exec", "order", "--", "/bin/true"], &state).spawn()?.wait()?;
        self.plain(&["stop", "order"], &state)?;
        start.wait()?;
        all.extend(self.addresses()?);
        all.extend(read(&exec)?);
        self.plain(&["delete", "--yes", "order"], &state)?;
        fs::remove_dir_all(state)?;
        Ok(all)
    }

    fn begin(&self, words: &[&str], state: &Path) -> Result<Child> {
        Ok(self.step(&self.directory.join("addresses"), words, state).spawn()?)
    }

    fn addresses(&self) -> Result<Vec<u64>> {
        read(&self.directory.join("addresses"))
    }

    fn step(&self, file: &Path, words: &[&str], state: &Path) -> std::process::Command {
        let mut step = command(&[self.directory.join("step").as_path(), file, &self.jaula]);
        step.args(words).env("JAULA_ROOT", state);
        step
    }

    fn plain(&self, words: &[&str], state: &Path) -> Result<String> {
        output(command(&[&self.jaula]).args(words).env("JAULA_ROOT", state))
    }
}

/// What `bench/step.c` wrote.
fn read(file: &Path) -> Result<Vec<u64>> {
    let text = fs::read_to_string(file)?;
    let mut all = Vec::new();
    for line in text.lines() {
        let (address, before) = line.split_once(' ').ok_or("step wrote no two numbers")?;
        all.push((before.parse::<u32>()?, u64::from_str_radix(address, 16)?));
    }
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, address)| address).collect())
}

/// The functions of a linker's map: where each begins, how long it is, and its section's name.
fn sections(map: &str) -> BTreeMap<u64, (u64, String)> {
    let mut found = BTreeMap::new();
    let mut name = "";
    for line in map.lines() {
        let mut words = line.split_whitespace().peekable();
        // A long name has a line of its own.
        if let Some(section) = line.strip_prefix(" .text.").and_then(|l| l.split_whitespace().next()) {
            name = section;
            words.next();
        } else if !line.starts_with("                0x") {
            name = "";
        }
        let mut number = || words.next().and_then(|w| u64::from_str_radix(w.strip_prefix("0x")?, 16).ok());
        if let (false, Some(start), Some(size)) = (name.is_empty(), number(), number())
            && start > 0
            && size > 0
        {
            found.insert(start, (size, name.to_owned()));
            name = "";
        }
    }
    found
}

/// A section's name without what differs between builds: the compiler's hashes of functions and of crates.
fn pattern(name: &str) -> String {
    let name = match (name.rfind("17h"), name.rsplit_once('.')) {
        (Some(at), _) if name.starts_with("_ZN") => format!("{}*", &name[..at + 3]),
        // One of several of that name.
        (_, Some((stem, number))) if number.bytes().all(|b| b.is_ascii_digit()) => format!("{stem}.*"),
        _ => name.to_owned(),
    };
    let mut parts = name.split("Cs");
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('_') {
            Some((hash, rest))
                if name.starts_with("_R") && hash.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                pattern.push_str("Cs*_");
                pattern.push_str(rest);
            }
            _ => {
                pattern.push_str("Cs");
                pattern.push_str(part);
            }
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::{pattern, sections};

    #[test]
    fn a_map_is_read() {
        let map = " .text.short    0x0000000000401000       0x2d a.o\n .text._ZN4long17habcE\n                0x0000000000401030      0x100 a.o\n                0x0000000000401030                long\n .text.gone    0x0000000000000000       0x2d a.o\n";
        let found = sections(map);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[&0x401000], (0x2d, "short".to_owned()));
        assert_eq!(found[&0x401030], (0x100, "_ZN4long17habcE".to_owned()));
    }

    #[test]
    fn names_are_of_any_build() {
        assert_eq!(pattern("_ZN5model4plan17h0123456789abcdefE"), "_ZN5model4plan17h*");
        assert_eq!(
            pattern("_RNvMs4_NtCs9AbZ_5alloc7raw_vec11finish_growCsx1_3std"),
            "_RNvMs4_NtCs*_5alloc7raw_vec11finish_growCs*_3std"
        );
        assert_eq!(pattern("memcpy"), "memcpy");
        assert_eq!(pattern("_RNvNtCs9_4path9Component2eq.1674"), "_RNvNtCs*_4path9Component2eq.*");
    }
}
