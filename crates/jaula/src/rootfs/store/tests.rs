//! Stores on real file systems, as root; others skip them.

use super::*;
use model::name::Id;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

/// A house with one template, `base`, on a file system of its own if that is wanted.
struct Trial {
    place: PathBuf,
    house: House,
    mounted: bool,
}

impl Trial {
    fn new(name: &str, kind: Option<&str>) -> Option<Self> {
        if sys::process::user() != 0 {
            return None;
        }
        let place = std::env::temp_dir().join(format!("jaula-store-{name}-{}", std::process::id()));
        fs::create_dir_all(place.join("house")).unwrap();
        let house = House::below(&place.join("house"));
        let trial = Self { mounted: kind.is_some(), house, place };
        if let Some(kind) = kind {
            let disk = trial.place.join("disk");
            fs::File::create(&disk).unwrap().set_len(400 << 20).unwrap();
            run(&format!("mkfs.{kind} -q {}", disk.display()));
            run(&format!("mount -o loop {} {}", disk.display(), trial.place.join("house").display()));
        }
        let base = trial.house.templates().join("base");
        fs::create_dir_all(&base).unwrap();
        make_tree(&base, "tree").unwrap();
        fs::create_dir_all(base.join("tree/etc")).unwrap();
        fs::write(base.join("tree/etc/name"), "base").unwrap();
        fs::set_permissions(base.join("tree/etc"), fs::Permissions::from_mode(0o750)).unwrap();
        std::os::unix::fs::chown(base.join("tree/etc/name"), Some(33), Some(44)).unwrap();
        Some(trial)
    }

    fn make(&self, store: &str) -> Result<(Name, Config)> {
        let config = Config::parse(&format!("[root]\nfrom = \"template:base\"\n{store}")).unwrap();
        let name: Name = "web".parse().unwrap();
        let building = crate::building::Building::begin(&self.house.lib.join("jails"), "web")?;
        let id = Id::new(300).unwrap();
        make(
            &self.house,
            building.path(),
            &mut || Ok(id),
            &config,
            &mut |_| panic!("it has a template"),
            &mut |_| Ok(()),
        )?;
        building.settle(&self.house.kept(&name))?;
        Ok((name, config))
    }

    /// The jail has the template's files with their owners, and what is written stays.
    fn works(&self, name: &Name, config: &Config) {
        let place = |opened: &Opened| make::through(opened.root());
        let opened = open(&self.house, name, config).unwrap();
        let at = place(&opened);
        assert_eq!(fs::read_to_string(at.join("etc/name")).unwrap(), "base");
        let found = fs::metadata(at.join("etc/name")).unwrap();
        assert_eq!((found.uid(), found.gid()), (33, 44));
        assert_eq!(fs::metadata(at.join("etc")).unwrap().mode() & 0o7777, 0o750);
        fs::write(at.join("etc/name"), "own").unwrap();
        fs::create_dir(at.join("new")).unwrap();
        drop(opened);
        let opened = open(&self.house, name, config).unwrap();
        assert_eq!(fs::read_to_string(place(&opened).join("etc/name")).unwrap(), "own");
        assert!(place(&opened).join("new").is_dir());
        drop(opened);
        assert_eq!(fs::read_to_string(self.house.templates().join("base/tree/etc/name")).unwrap(), "base");
    }

    /// How large `df` says that it is, and what is refused beyond that.
    fn holds(&self, name: &Name, config: &Config, size: u64) {
        let opened = open(&self.house, name, config).unwrap();
        assert_eq!(sys::fs::space(opened.root()).unwrap().size, size);
        let much = vec![7; 1 << 20];
        let mut file = fs::File::create(make::through(opened.root()).join("much")).unwrap();
        let written = (0..size >> 20).try_for_each(|_| std::io::Write::write_all(&mut file, &much));
        assert_eq!(written.unwrap_err().raw_os_error(), Some(sys::errno::ENOSPC));
        drop(file);
        fs::remove_file(make::through(opened.root()).join("much")).unwrap();
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // A loop device goes a moment after its last user.
        let _ = crate::tree::remove(&self.house.lib);
        if self.mounted {
            run(&format!("umount {}", self.place.join("house").display()));
        }
        fs::remove_dir_all(&self.place).unwrap();
    }
}

fn run(command: &str) {
    let done = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(done.success(), "{command}");
}

/// The kernel takes no overlay any more that was volatile, and says so of the directory that it worked in.
#[test]
fn what_we_write_in_leaves_nothing_behind() {
    let Some(trial) = Trial::new("aside", None) else { return };
    let (name, config) = trial.make("store = \"overlay\"").unwrap();
    let layers = trial.house.kept(&name).join("overlay");
    let there = || {
        let mut names: Vec<_> =
            fs::read_dir(&layers).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    trial.works(&name, &config);
    assert_eq!(there(), ["upper", "work"]);
    // Whoever was killed has left it, with what the kernel had in it.
    let opened = open(&trial.house, &name, &config).unwrap();
    assert_eq!(there(), ["aside", "upper", "work"]);
    // Somebody may look meanwhile, and nothing is written by that.
    let seen = look(&trial.house, &name, &config).unwrap();
    assert_eq!(fs::read_to_string(make::through(seen.root()).join("etc/name")).unwrap(), "own");
    assert!(fs::write(make::through(seen.root()).join("etc/name"), "x").is_err());
    drop(seen);
    drop(opened);
    fs::create_dir_all(layers.join("aside/work/incompat/volatile")).unwrap();
    drop(open(&trial.house, &name, &config).unwrap());
    assert_eq!(there(), ["upper", "work"]);
}

#[test]
fn overlay_and_dir() {
    for store in ["store = \"overlay\"", "store = \"dir\""] {
        let Some(trial) = Trial::new(&format!("plain{}", store.len()), None) else { return };
        let (name, config) = trial.make(store).unwrap();
        trial.works(&name, &config);
        assert_eq!(usage(&trial.house, &name, &config), None);
    }
}

#[test]
fn image() {
    let Some(trial) = Trial::new("image", None) else { return };
    let (name, config) = trial.make("store = \"image\"\nsize = \"64M\"").unwrap();
    trial.works(&name, &config);
    trial.holds(&name, &config, 64 << 20);
    assert_eq!(usage(&trial.house, &name, &config).unwrap().size, Some(64 << 20));
    let id = Id::new(300).unwrap();
    // Grown and shrunk while it is not mounted.
    for size in ["200M", "48M"] {
        let config = Config::parse(&format!("root.store = \"image\"\nroot.size = \"{size}\"")).unwrap();
        limit(&trial.house, &name, id, &config).unwrap();
        let bytes = config.root.size.unwrap().hard.0;
        let opened = open(&trial.house, &name, &config).unwrap();
        assert_eq!(sys::fs::space(opened.root()).unwrap().size, bytes);
        // Mounted it does not become smaller.
        let less = Config::parse("root.store = \"image\"\nroot.size = \"40M\"").unwrap();
        assert!(limit(&trial.house, &name, id, &less).unwrap_err().to_string().contains("smaller"));
    }
    // Two that open it share one file system.
    let (one, two) =
        (open(&trial.house, &name, &config).unwrap(), open(&trial.house, &name, &config).unwrap());
    fs::write(make::through(one.root()).join("shared"), "x").unwrap();
    assert_eq!(fs::read_to_string(make::through(two.root()).join("shared")).unwrap(), "x");
}

#[test]
fn overlay_with_a_limit() {
    let Some(trial) = Trial::new("limit", None) else { return };
    let (name, config) = trial.make("store = \"overlay\"\nsize = \"64M\"\ninodes = 500").unwrap();
    trial.works(&name, &config);
    trial.holds(&name, &config, 64 << 20);
}

#[test]
fn an_overlay_is_limited_later() {
    let Some(trial) = Trial::new("later", None) else { return };
    let (name, config) = trial.make("store = \"overlay\"").unwrap();
    trial.works(&name, &config);
    let text = "[root]\nfrom = \"template:base\"\nstore = \"overlay\"\nsize = \"64M\"";
    let limited = Config::parse(text).unwrap();
    limit(&trial.house, &name, Id::new(300).unwrap(), &limited).unwrap();
    assert!(!trial.house.kept(&name).join("overlay").exists());
    let opened = open(&trial.house, &name, &limited).unwrap();
    assert_eq!(fs::read_to_string(make::through(opened.root()).join("etc/name")).unwrap(), "own");
    drop(opened);
    trial.holds(&name, &limited, 64 << 20);
}

#[test]
fn btrfs_subvolume() {
    let Some(trial) = Trial::new("btrfs", Some("btrfs")) else { return };
    let (name, config) = trial.make("store = \"btrfs\"\nsize = \"64M\"").unwrap();
    trial.works(&name, &config);
    let opened = open(&trial.house, &name, &config).unwrap();
    assert!(sys::btrfs::is_subvolume(opened.root()).unwrap());
    let much = vec![7; 80 << 20];
    let written = fs::write(make::through(opened.root()).join("much"), &much);
    assert_eq!(written.unwrap_err().raw_os_error(), Some(sys::errno::EDQUOT));
    drop(opened);
    let more = Config::parse("root.store = \"btrfs\"\nroot.size = \"128M\"").unwrap();
    limit(&trial.house, &name, Id::new(300).unwrap(), &more).unwrap();
    assert_eq!(usage(&trial.house, &name, &more).unwrap().size, Some(128 << 20));
    let opened = open(&trial.house, &name, &config).unwrap();
    fs::write(make::through(opened.root()).join("much"), &much).unwrap();
    // A subvolume inside, and one inside that.
    sys::btrfs::create(opened.root(), "inner").unwrap();
    sys::btrfs::create(sys::fs::open(opened.root(), "inner", sys::fs::O_RDONLY, 0).unwrap(), "inmost")
        .unwrap();
    fs::write(make::through(opened.root()).join("inner/inmost/file"), "x").unwrap();
    drop(opened);
    crate::tree::remove(&trial.house.kept(&name)).unwrap();
    assert!(!trial.house.kept(&name).exists());
}

#[test]
fn what_cannot_be_is_said_and_leaves_nothing() {
    let Some(trial) = Trial::new("refused", None) else { return };
    for (store, why) in [
        ("store = \"btrfs\"", "is not on btrfs"),
        ("store = \"image\"\nsize = \"1M\"", "has no room for files"),
        ("store = \"dir\"\nsize = \"64M\"", "quota"),
        ("store = \"overlay\"\nsize = \"64M:65M\"", "cannot be a soft limit"),
    ] {
        let error = trial.make(store).unwrap_err();
        assert!(error.to_string().contains(why), "{store}: {error}");
        assert!(error.help().is_some());
        let left: Vec<_> = fs::read_dir(trial.house.lib.join("jails")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn more_than_the_image_holds_is_one_error() {
    let Some(trial) = Trial::new("full", None) else { return };
    fs::write(trial.house.templates().join("base/tree/much"), vec![7; 20 << 20]).unwrap();
    let error = trial.make("store = \"image\"\nsize = \"16M\"").unwrap_err();
    assert!(error.line().contains("ENOSPC") || error.line().contains("No space left"), "{}", error.line());
}
