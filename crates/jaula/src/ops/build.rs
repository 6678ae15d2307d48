//! `jaula build`: a virtual server, its files made first and its configuration last.
//!
//! Nothing of it is in its place before all of it is there: the files are made aside and renamed when they are
//! whole, and the configuration, which is what makes it a jail, is written after that.

mod text;

use crate::building::Building;
use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::keeping::birth::{self, Unwritten};
use crate::ops::create::{Created, free};
use crate::owners;
use crate::registry::{self, Ids};
use crate::rootfs::beneath::Beneath;
use crate::rootfs::build::{Origin, Work};
use crate::rootfs::guest::{self, When};
use crate::rootfs::{duplicate, store, template};
use model::config::{Config, Operation, RootSpec, Setting, Store, edit};
use model::name::{Id, Name};
use model::plan::Stored;
use model::template::{TREE, Template};
use std::cell::{Cell, RefCell};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// The new jail's name.
    pub name: Name,
    /// What its files are made from.
    pub source: Source,
    /// The template that is made on the way, if its name is not to follow from the source.
    pub template: Option<Name>,
    /// Is a template of that name made anew?
    pub fresh: bool,
    /// What the configuration says beside.
    pub settings: Vec<Setting>,
}

/// What files are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A template that is there.
    Template(Name),
    /// Something that a template, or the jail's own files, are made from.
    Origin(Origin),
}

/// What would be done.
#[derive(Debug)]
pub struct Outline {
    /// How the files are kept.
    pub store: Store,
    /// The template that they lie on.
    pub template: Option<Name>,
    /// Is it there already?
    pub there: bool,
    /// The configuration.
    pub text: String,
    config: Config,
}

/// What was done.
#[derive(Debug)]
pub struct Built {
    /// The jail.
    pub jail: Created,
    /// The template that it lies on, and whether it was there.
    pub template: Option<(Name, bool)>,
    /// Files that could not be made what the configuration says.
    pub warnings: Vec<String>,
}

/// What would be done; everything that can be known to be wrong is said here.
pub fn outline(house: &House, build: &Build) -> Result<Outline> {
    free(house, &build.name)?;
    let store = store(house, &build.settings)?;
    let (from, template, there) = match (&build.source, store) {
        (Source::Template(name), _) => {
            let known = template::read(house, name)?;
            if known.is_none() {
                return Err(template::missing(house, name)?);
            }
            (RootSpec::Template(name.clone()), Some(name.clone()), true)
        }
        // What an image says of itself is known with the template only.
        (Source::Origin(origin @ Origin::Image(_)), _) | (Source::Origin(origin), Store::Overlay) => {
            let name = template_name(build, origin)?;
            let there = reusable(house, build, origin, &name)?;
            (RootSpec::Template(name.clone()), Some(name), there)
        }
        (Source::Origin(_), _) if build.template.is_some() || build.fresh => {
            return Err(Error::refused(
                "a template is made for root.store = \"overlay\" only",
                "leave --template and --fresh out, or the store",
            ));
        }
        (Source::Origin(origin), _) => (origin.spec(), None, false),
    };
    if let Source::Origin(origin) = &build.source
        && !there
    {
        origin.check()?;
    }
    let own = [("root.from", from.to_string()), ("root.store", store.to_string())];
    let mut settings: Vec<Setting> = own.into_iter().map(|(key, value)| Setting::set(key, value)).collect();
    if let Some(name) = &template
        && let Some(known) = template::read(house, name)?
    {
        settings.extend(of_image(&known));
    }
    settings.extend(build.settings.iter().filter(|s| s.key != "root.store").cloned());
    let base = text::new(&build.name, &build.source);
    let text = edit::apply(&base, &settings).map_err(|p| Error::problems(&p, None))?;
    let config = Config::parse(&text).map_err(|p| Error::problems(&p, None))?;
    owners::check_store(house, &config.root)?;
    Ok(Outline { store, template, there, text, config })
}

/// Builds it. If this fails, or is killed, there is no jail.
pub fn build(house: &House, build: &Build, work: &mut Work<'_>) -> Result<Built> {
    let mut outline = outline(house, build)?;
    if let (Source::Origin(origin), Some(name), false) = (&build.source, &outline.template, outline.there) {
        make_template(house, build.fresh, origin, name, work)?;
        if let Origin::Image(_) = origin {
            // Now it is known what the image says.
            let made = self::outline(house, &Build { fresh: false, ..build.clone() })?;
            outline = Outline { there: false, ..made };
        }
    }
    // Two hear of the work that goes on: whoever makes files, and whoever copies those of a template.
    let work = RefCell::new(work);
    let mut fill = |into: &Path| match &build.source {
        Source::Origin(origin) => make_files(house, origin, into, &mut work.borrow_mut()),
        Source::Template(_) => Ok(()),
    };
    let mut progress =
        |count: &duplicate::Count| work.borrow_mut().count("copying the template", count.files, count.bytes);
    let (id, path, warnings) =
        settle(house, &build.name, &outline.text, &outline.config, &mut fill, &mut progress)?;
    let template = outline.template.map(|name| (name, outline.there));
    Ok(Built { jail: Created { name: build.name.clone(), id, path }, template, warnings })
}

/// The files of an origin. What is made in a jail is made in a directory that has a path, and copied from there:
/// what is mounted nowhere can be given to a jail since Linux 6.15 only.
fn make_files(house: &House, origin: &Origin, into: &Path, work: &mut Work<'_>) -> Result<()> {
    if !matches!(origin, Origin::Bootstrap(_)) || !into.starts_with("/proc") {
        return origin.make(house, into, work);
    }
    let aside = Building::begin(&house.lib.join("jails"), "files")?;
    let made = aside.path().join(TREE);
    std::fs::DirBuilder::new().mode(0o755).create(&made).map_err(Error::io("make", &made))?;
    origin.make(house, &made, work)?;
    duplicate::tree(&made, into, &mut |count| work.count("copying", count.files, count.bytes)).map(drop)
}

/// A template of an origin.
pub fn make_template(
    house: &House,
    fresh: bool,
    origin: &Origin,
    name: &Name,
    work: &mut Work<'_>,
) -> Result<()> {
    let about = Template { origin: origin.text(), ..Template::default() };
    let mut fill = |into: &Path, about: &mut Template| origin.fill(house, into, about, &mut *work);
    let is_there = template::read(house, name)?.is_some();
    let made = if is_there && fresh {
        template::make_anew(house, name, about, &mut fill)
    } else {
        template::make(house, name, about, &mut fill)
    };
    match made {
        // Somebody else was faster, with the same.
        Err(_) if !fresh && template::read(house, name)?.is_some_and(|t| t.origin == origin.text()) => Ok(()),
        made => made.map(drop),
    }
}

/// The files, and then the configuration.
pub(crate) fn settle(
    house: &House,
    name: &Name,
    text: &str,
    config: &Config,
    fill: &mut dyn FnMut(&Path) -> Result<()>,
    progress: &mut duplicate::Progress<'_>,
) -> Result<(Id, PathBuf, Vec<String>)> {
    let building = Building::begin(&house.lib.join("jails"), name.as_str())?;
    let (copied, mut foreseen) = (Cell::new(false), None);
    let mut fill = |into: &Path| {
        copied.set(true);
        fill(into)
    };
    let mut progress = |count: &duplicate::Count| {
        copied.set(true);
        progress(count)
    };
    let mut number = || {
        let id = number(house, config)?;
        foreseen = Some(id);
        Ok(id)
    };
    let opened = store::make(house, building.path(), &mut number, config, &mut fill, &mut progress)?;
    let tree = Beneath::new(opened);
    let fixed = guest::fix(&tree, name, config, When::Built)?;
    tree.into_top().sync()?;
    if copied.get() {
        // Nobody else that makes a jail waits for that.
        building.sync()?;
    }
    let unwritten = match store::few(building.path()) {
        Some(directory) if !copied.get() => Unwritten::Few(directory),
        _ => Unwritten::Any,
    };
    let id = birth::settle(house, name, building, unwritten, text, config.id, |id, config| match foreseen {
        // Somebody else has got the number meanwhile.
        Some(foreseen) if foreseen != id => store::limit(house, name, id, config),
        _ => Ok(()),
    })?;
    let warnings = fixed.failed.iter().map(Error::line).chain(store::unseen(config));
    Ok((id, house.config(name), warnings.collect()))
}

/// A jail on a template, whose configuration is this text.
pub(crate) fn on_template(house: &House, name: &Name, text: &str, config: &Config) -> Result<Created> {
    let mut fill = |_: &Path| Err(Error::Inside("a template fills its jails itself".to_owned()));
    let (id, path, _) = settle(house, name, text, config, &mut fill, &mut |_| Ok(()))?;
    Ok(Created { name: name.clone(), id, path })
}

/// The files of a jail that has a configuration, on a template, if it has none yet.
pub(crate) fn complete(house: &House, name: &Name) -> Result<()> {
    let config = registry::config(house, name)?;
    let (Some(RootSpec::Template(_)), Some(id)) = (&config.root.from, config.id) else { return Ok(()) };
    let Some(stored) = store::find(house, name, &config) else { return Ok(()) };
    let path = match &stored {
        Stored::Layers { kept, .. } => kept,
        Stored::Directory(path) | Stored::Image(path) => path,
    };
    if path.exists() {
        return Ok(());
    }
    let _claim = Claim::take(house, name)?;
    let building = Building::begin(&house.lib.join("jails"), name.as_str())?;
    let mut fill = |_: &Path| Err(Error::Inside("a template fills its jails itself".to_owned()));
    let opened = store::make(house, building.path(), &mut || Ok(id), &config, &mut fill, &mut |_| Ok(()))?;
    let tree = Beneath::new(opened);
    guest::fix(&tree, name, &config, When::Built)?;
    tree.into_top().sync()?;
    building.sync()?;
    // What lies there is no more than an earlier configuration's.
    let _ = std::fs::remove_dir(house.kept(name));
    building.settle(&house.kept(name))
}

/// The number that the jail will have, unless somebody else takes it before.
fn number(house: &House, config: &Config) -> Result<Id> {
    match config.id {
        Some(id) => Ok(id),
        None => Ids::load(house, &registry::lock(house)?)?.free(),
    }
}

/// What images run that boot.
const INITS: [&str; 4] = ["/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"];

/// What an image says of itself, as a jail's configuration: it holds unless something else is asked for.
fn of_image(template: &Template) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut set = |key: &str, value: &str| settings.push(Setting::set(key, value));
    // One that boots is found by its files, and asked to stop as it wants to be.
    let boots = matches!(&template.command[..], [only] if INITS.contains(&only.as_str()));
    let command = if boots { &[][..] } else { &template.command[..] };
    if !command.is_empty() {
        set("boot.init", "command");
        // A list as TOML has it, whose strings are JSON's: words may have spaces in them.
        let words: Vec<String> =
            command.iter().map(|word| serde_json::Value::from(&word[..]).to_string()).collect();
        set("boot.command", &format!("[{}]", words.join(", ")));
    }
    if let Some(user) = &template.user {
        // A group behind it is that of the user's line in passwd(5).
        set("boot.user", user.split(':').next().unwrap_or(user));
    }
    if let Some(directory) = &template.directory {
        set("boot.directory", directory);
    }
    if let Some(signal) = &template.stop_signal {
        set("boot.stop_signal", signal.strip_prefix("SIG").unwrap_or(signal));
    }
    for (name, value) in &template.environment {
        set(&format!("environment.{name}"), value);
    }
    settings
}

/// How the files are to be kept. If nothing is said: as an overlay, or where none can be, in an image.
fn store(house: &House, settings: &[Setting]) -> Result<Store> {
    let said = settings.iter().rfind(|s| s.key == "root.store" && s.operation == Operation::Set);
    let default = || if owners::is_on_overlay(&house.lib) { Store::Image } else { Store::Overlay };
    said.map_or_else(
        || Ok(default()),
        |setting| {
            setting.value.trim_matches('"').parse().map_err(|bad: model::config::BadValue| Error::Refused {
                message: format!("root.store: {}", bad.message),
                help: bad.help,
            })
        },
    )
}

/// The name of the template that is made of an origin: what it is of is shared, what is copied is not.
fn template_name(build: &Build, origin: &Origin) -> Result<Name> {
    if let Some(name) = &build.template {
        return Ok(name.clone());
    }
    match origin {
        Origin::Bootstrap(recipe) => recipe.template().ok_or_else(|| {
            Error::refused(format!("{} is no name for a template", recipe.suite), "name it: --template NAME")
        }),
        _ => Ok(build.name.clone()),
    }
}

/// Is a template there that was made just so? One of the same name that was made otherwise is in the way.
fn reusable(house: &House, build: &Build, origin: &Origin, name: &Name) -> Result<bool> {
    let Some(there) = template::read(house, name)? else { return Ok(false) };
    if build.fresh {
        // Said before minutes pass.
        template::unused(house, name)?;
        return Ok(false);
    }
    let is_shared = matches!(origin, Origin::Bootstrap(_) | Origin::Image(_));
    if is_shared && there.origin == origin.text() {
        return Ok(true);
    }
    Err(Error::refused(
        format!("there is a template {name} already, made from {}", there.origin),
        format!(
            "build on it: --from template:{name}; or make another beside it: --template NAME; or make it anew: --fresh"
        ),
    ))
}
