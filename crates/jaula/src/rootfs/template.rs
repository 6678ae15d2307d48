//! Templates: whole roots that nothing changes any more, each in `lib/templates/NAME` as `tree/` and what is known
//! of it, `template.toml`.

use crate::building::Building;
use crate::error::{Error, Result};
use crate::house::House;
use crate::keeping::shelf;
use crate::registry;
use crate::rootfs::archive::manifest::{Extent, Manifest};
use crate::rootfs::archive::{Contents, Report};
use crate::rootfs::beneath::{Beneath, Found};
use crate::rootfs::store;
use model::config::RootSpec;
use model::name::Name;
use model::template::{FILE, LIST, TREE, Template};
use model::units::Bytes;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// No list is longer.
const MOST_LIST: u64 = 4 << 30;

/// Fills an empty tree, and completes what is known of it. What its files hold that were made whole is told for
/// them not to be read again.
pub type Fill<'a> = &'a mut dyn FnMut(&Path, &mut Template) -> Result<Contents>;

/// Makes a template: `fill` fills its tree, which is empty. `about` says what the tree itself does not: its
/// origin, and what an image says of itself.
pub fn make(house: &House, name: &Name, about: Template, fill: Fill<'_>) -> Result<Template> {
    let building = begin(house, name, about, fill)?;
    building.0.settle_for_good(&house.template(name))?;
    Ok(building.1)
}

/// The same in the place of another, which nobody uses any more.
pub fn make_anew(house: &House, name: &Name, about: Template, fill: Fill<'_>) -> Result<Template> {
    unused(house, name)?;
    let (building, template) = begin(house, name, about, fill)?;
    // Once more: it took its time.
    let _lock = registry::lock(house)?;
    unused(house, name)?;
    // What was there goes with the building directory.
    sys::fs::exchange(building.path(), house.template(name))
        .map_err(Error::call("put the template in place"))?;
    store::forget_bases(house, name)?;
    Ok(template)
}

fn begin(house: &House, name: &Name, mut about: Template, fill: Fill<'_>) -> Result<(Building, Template)> {
    let building = Building::begin(&house.templates(), name.as_str())?;
    // A subvolume where that can be, so that jails are snapshots of it.
    store::make_tree(building.path(), TREE)?;
    let tree = building.path().join(TREE);
    let contents = fill(&tree, &mut about)?;
    let top = top(&tree)?;
    let (list, extent) = Manifest::knowing(&contents, top.as_fd(), &mut |_| Ok(()))?;
    let mut template = describe(&tree, about, extent)?;
    template.tree = Some(format!("sha256:{}", list.digest()));
    store::protect(&tree)?;
    let packed = zstd::encode_all(list.text.as_bytes(), 3).map_err(Error::io("write", Path::new(LIST)))?;
    for (file, content) in [(LIST, &packed[..]), (FILE, template.to_text().as_bytes())] {
        let path = building.path().join(file);
        std::fs::write(&path, content).map_err(Error::io("write", &path))?;
    }
    // What has a digest must be what it is after a crash as well.
    building.sync()?;
    Ok((building, template))
}

fn top(tree: &Path) -> Result<OwnedFd> {
    let top = sys::fs::open(sys::fs::CWD, tree, sys::fs::O_RDONLY | sys::fs::O_DIRECTORY, 0);
    top.map_err(|e| Error::tree(tree, "the files of a template", e))
}

/// The list of a tree's files as they are now.
pub fn manifest(tree: &Path, report: Report<'_>) -> Result<Manifest> {
    Manifest::of(top(tree)?.as_fd(), report)
}

/// The list that was made with a template; `None` if none was. It must have the digest that the template tells.
pub fn recorded(house: &House, name: &Name, template: &Template) -> Result<Option<Manifest>> {
    let path = house.template(name).join(LIST);
    let Some(wanted) = &template.tree else { return Ok(None) };
    let open = std::fs::File::open(&path).and_then(zstd::Decoder::new);
    let mut text = String::new();
    open.and_then(|list| std::io::Read::read_to_string(&mut std::io::Read::take(list, MOST_LIST), &mut text))
        .map_err(Error::io("read", &path))?;
    let list = Manifest { text };
    if *wanted != format!("sha256:{}", list.digest()) {
        return Err(Error::refused(
            format!("the list of the files of template {name} is not the one that was made with it"),
            format!("{} was changed; make the template anew", path.display()),
        ));
    }
    Ok(Some(list))
}

/// Deletes a template that nothing lies on.
pub fn delete(house: &House, name: &Name) -> Result<()> {
    let _lock = registry::lock(house)?;
    let path = house.template(name);
    if std::fs::symlink_metadata(&path).is_err() {
        return Err(missing(house, name)?);
    }
    unused(house, name)?;
    store::forget_bases(house, name)?;
    // One that is a link to elsewhere is somebody's own: it goes, what it leads to stays.
    if path.is_symlink() {
        return std::fs::remove_file(&path).map_err(Error::io("remove", &path));
    }
    crate::tree::refuse_mounts(&path)?;
    let aside = Building::begin(&house.templates(), name.as_str())?;
    sys::fs::exchange(aside.path(), &path).map_err(Error::call("put a template aside"))?;
    // The empty directory that has its name now.
    std::fs::remove_dir(&path).map_err(Error::io("remove", &path))
}

/// There is no such template.
pub fn missing(house: &House, name: &Name) -> Result<Error> {
    let all = list(house)?;
    let known: Vec<&str> = all.iter().map(Name::as_str).collect();
    let help = if known.is_empty() {
        "there is none yet: jaula template make NAME --from debootstrap:trixie makes one".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    Ok(Error::refused(format!("there is no template {:?}", name.as_str()), help))
}

/// Completes what is known of a tree by what it says itself.
pub fn describe(tree: &Path, about: Template, extent: Extent) -> Result<Template> {
    let inside = Beneath::at(tree)?;
    let release =
        ["etc/os-release", "usr/lib/os-release"].iter().find_map(|path| inside.read(path, 1 << 16).ok()?);
    let release = String::from_utf8_lossy(&release.unwrap_or_default()).into_owned();
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        let value = value.trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let made = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(Template {
        made,
        architecture: about.architecture.clone().or_else(|| Some(std::env::consts::ARCH.to_owned())),
        distribution: field("ID"),
        version: field("VERSION_ID").or_else(|| field("VERSION_CODENAME")),
        init: init(&inside).map(str::to_owned),
        size: Bytes(extent.room),
        files: extent.files,
        ..about
    })
}

/// The init that a tree has, by the words of `boot.init`.
fn init(tree: &Beneath) -> Option<&'static str> {
    let has =
        |paths: &[&str]| paths.iter().any(|path| !matches!(tree.look(path), Ok(Found::Nothing) | Err(_)));
    let table: [(&[&str], &str); 3] = [
        (&["usr/lib/systemd/systemd", "lib/systemd/systemd"], "systemd"),
        (&["sbin/openrc", "usr/sbin/openrc", "usr/bin/openrc"], "openrc"),
        (&["etc/inittab"], "sysv"),
    ];
    if !has(&["sbin/init", "usr/sbin/init"]) {
        return None;
    }
    table.iter().find(|(paths, _)| has(paths)).map_or(Some("plain"), |(_, word)| Some(word))
}

/// What is known of a template; `None` if there is none.
pub fn read(house: &House, name: &Name) -> Result<Option<Template>> {
    let path = house.template(name).join(FILE);
    let text = match registry::read_text(&path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let parsed = Template::parse(&text);
    parsed
        .map(Some)
        .map_err(|bad| Error::Config { problems: vec![format!("{}: {bad}", path.display())], help: None })
}

/// The templates that are there, by name.
pub fn list(house: &House) -> Result<Vec<Name>> {
    let directory = house.templates();
    let entries = match std::fs::read_dir(&directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io("read", &directory))?,
    };
    let mut names: Vec<Name> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    names.sort();
    Ok(names)
}

/// The jails that lie on a template.
pub fn users(house: &House, name: &Name) -> Result<Vec<Name>> {
    let lies_on = |jail: &Name| {
        registry::config(house, jail)
            .is_ok_and(|config| matches!(&config.root.from, Some(RootSpec::Template(of)) if of == name))
    };
    Ok(registry::configured(house)?.into_iter().filter(lies_on).collect())
}

/// Refuses if jails lie on it.
pub fn unused(house: &House, name: &Name) -> Result<()> {
    let users = users(house, name)?;
    if users.is_empty() {
        let snapshots = shelf::with_root(house, &RootSpec::Template(name.clone()))?;
        return match snapshots.is_empty() {
            true => Ok(()),
            false => Err(Error::refused(
                format!("snapshots lie on the template {name}: {}", snapshots.join(", ")),
                "jaula snapshot delete takes them away; or make another template beside it: --template NAME",
            )),
        };
    }
    let users: Vec<&str> = users.iter().map(Name::as_str).collect();
    Err(Error::refused(
        format!("jails lie on the template {name}, which cannot change under them: {}", users.join(", ")),
        "make another beside it: --template NAME",
    ))
}
