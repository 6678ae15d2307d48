//! From a configuration to a plan: all that must be found out before anything is done.

mod app;
mod boot;
pub(crate) mod forwarded;
mod names;
pub(crate) mod network;
mod writable;

use crate::error::{Error, Result};
use crate::facts;
use crate::house::House;
use crate::rootfs::{guest, store};
use model::boot::{Kind, Waits};
use model::config::{Config, Init, MountSource, RootSpec, Writes};
use model::confinement::{Confinement, may_mount};
use model::facts::Facts;
use model::name::{Id, Name};
use model::plan::traced::{INIT, Traced};
use model::plan::{AppEntry, AppFile, First, Jail, Plan, Stream, Taken, Writable, plan};

pub(crate) use app::host_closure;
pub use app::{Closure, closure};
pub(crate) use boot::has_first;
use model::users::Identity;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What programs are searched in when a command has no `/`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The socket in a jail's run directory where it says that it is ready.
pub(crate) const NOTIFY: &str = "notify";

/// Where a jail keeps the directories of `root.writable`.
const WRITABLE: &str = "writable";

/// A jail that could start now.
#[derive(Debug)]
pub struct Prepared {
    /// All that its start does.
    pub plan: Plan,
    /// What holds its processes.
    pub confinement: Confinement,
    /// What its first process is.
    pub boot: Kind,
}

/// How a start differs from what the configuration says.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The command, in place of `boot.command`; empty for that.
    pub command: &'a [OsString],
    /// Does the jail end with the command that makes it?
    pub passing: bool,
    /// What the first process's standard streams are.
    pub streams: [Stream; 3],
    /// What it has beside if it is traced.
    pub traced: Option<&'a Traced>,
    /// Are the files of a virtual server looked at? Only while nobody runs from them.
    pub looks: bool,
    /// Is nothing started in it, so that somebody can repair it?
    pub rescue: bool,
}

impl Start<'_> {
    /// As the configuration says: with a console, and for as long as it lives.
    pub const LASTING: Self = Self {
        command: &[],
        passing: false,
        streams: [Stream::Terminal; 3],
        traced: None,
        rescue: false,
        looks: true,
    };
}

/// Makes the plan of a start. Everything that is wrong with the configuration comes at once.
pub fn prepare(house: &House, name: &Name, id: Id, config: &Config, start: Start<'_>) -> Result<Prepared> {
    prepare_as(house, name, id, config, start, false)
}

/// The same for a jail that is about to be made: its files, if it is to have its own, are taken
/// from the host before it starts.
pub(crate) fn foresee(
    house: &House,
    name: &Name,
    id: Id,
    config: &Config,
    start: Start<'_>,
) -> Result<Prepared> {
    prepare_as(house, name, id, config, start, true)
}

fn prepare_as(
    house: &House,
    name: &Name,
    id: Id,
    config: &Config,
    start: Start<'_>,
    foreseen: bool,
) -> Result<Prepared> {
    let facts = facts::gather(house, config);
    let stored = store::find(house, name, config);
    let there = match &stored {
        Some(_) if !facts.root() => Err(needs_root("root.store")),
        Some(stored) if !foreseen => store::check(name, stored),
        _ => Ok(()),
    };
    let mut files = check(name, config, &facts, start, there)?;
    let kind = boot::kind(house, name, config, &facts, start, foreseen)?;
    let confinement = match start.traced {
        Some(_) => checked(Confinement::traced(config, facts::ARCH))?,
        None => confinement(config)?,
    };
    if facts.root() && may_mount(config, confinement.capabilities) {
        holds(config)?;
    }
    let inside = inside(house, name, config, &facts, start.passing, foreseen)?;
    let Inside { program, app, tree, in_tmp, writable, identity } = inside;
    let with_names =
        start.traced.is_none() && names::shows_names(config, &facts, &confinement, &app, tree.as_deref());
    let config = &if with_names { names::with_names(house, config) } else { config.clone() };
    if with_names {
        files.push(names::names(house));
    }
    let command: Vec<OsString> = match (start.command, &config.boot.command[..], program) {
        ([], [], Some(program)) => vec![program.into_os_string()],
        ([], own, _) => own.iter().map(OsString::from).collect(),
        (given, ..) => given.to_vec(),
    };
    let says = kind.waits(&config.boot) == Waits::Notify && (!start.passing || start.traced.is_some());
    let notify = says.then(|| house.running(name).join(NOTIFY));
    let mut own = config.environment.clone();
    if notify.is_some() {
        own.insert("NOTIFY_SOCKET".to_owned(), "/run/notify".to_owned());
    }
    let environment = environment(&identity, &own, start.streams.contains(&Stream::Terminal));
    let command = if kind == Kind::Command { command } else { vec![OsString::from(boot::program(kind))] };
    let mut first = first(&command, environment, config.boot.directory.clone(), &identity, start.streams);
    if kind != Kind::Command {
        first.arguments = vec![kind.title(&config.boot).into()];
        first.init = kind;
    }
    let init = kind.is_ours().then(|| boot::own_init(kind, config));
    if start.traced.is_some() {
        below_init(&mut first)?;
    }
    let guest = match &stored {
        Some(_) if start.looks && !foreseen && !start.passing && !start.rescue => {
            guest::look(house, name, config)?
        }
        _ => Vec::new(),
    };
    let jail = Jail {
        name,
        id,
        config,
        facts: &facts,
        confinement: &confinement,
        first: &first,
        app: &app,
        taken: tree.as_deref().map(|tree| Taken { tree, in_tmp }),
        stored: stored.as_ref(),
        guest: &guest,
        writable: &writable,
        files: &files,
        notify: notify.as_deref(),
        boot: kind,
        init: init.as_deref(),
        passing: start.passing,
        traced: start.traced,
    };
    let mut plan = plan(&jail);
    plan.warnings.extend(network::taken(config, kind)?);
    plan.warnings.extend(forwarded::warnings(&plan, config));
    Ok(Prepared { plan, confinement, boot: kind })
}

/// What a jail's root is put together from, and who its first process is.
#[derive(Debug)]
pub(crate) struct Inside {
    /// The program of an app jail.
    pub(crate) program: Option<PathBuf>,
    /// Its files; none if they were put into a tree.
    pub(crate) app: Vec<AppEntry>,
    /// That tree.
    pub(crate) tree: Option<PathBuf>,
    /// Are some of them in `/tmp`?
    pub(crate) in_tmp: bool,
    /// The directories that it may write to.
    pub(crate) writable: Vec<Writable>,
    /// Who the first process is.
    pub(crate) identity: Identity,
}

/// Finds out what a jail's root is put together from. `passing`: it keeps nothing. `foreseen`: files
/// of its own, if it is to have such, are taken before it starts.
pub(crate) fn inside(
    house: &House,
    name: &Name,
    config: &Config,
    facts: &Facts,
    passing: bool,
    foreseen: bool,
) -> Result<Inside> {
    let (mut app, mut tree, mut in_tmp) = (Vec::new(), None, false);
    let (mut program, mut places) = (None, Vec::new());
    if let Some(RootSpec::App(wanted)) = &config.root.from {
        let root = app::root(house, name, config, wanted, passing, foreseen)?;
        (app, tree, in_tmp) = (root.entries, root.tree, root.in_tmp);
        (program, places) = (Some(root.program), root.writable);
    }
    let root = RootFiles { house, name, config, app: &app, tree: tree.as_deref() };
    // Without root a jail has one user: its caller, under the caller's own number.
    let own = (!facts.root()).then(|| facts.user.to_string());
    let identity = root.identity(config.boot.user.as_deref().or(own.as_deref()), facts)?;
    let kept = (!passing).then(|| house.kept(name).join(WRITABLE));
    let writable = writable::writable(&config.root.writable, &places, kept.as_deref(), &identity, |user| {
        root.identity(Some(user), facts)
    })?;
    if tree.is_some() {
        app.clear();
    }
    Ok(Inside { program, app, tree, in_tmp, writable, identity })
}

/// What only a mount's read-only flag would hold is refused to a jail whose root may remount.
fn holds(config: &Config) -> Result<()> {
    let read_only = match &config.root.from {
        Some(RootSpec::Host)
            if !config.root.is_own() && config.root.writes_in_force() != Writes::Discarded =>
        {
            Some("the host's root".to_owned())
        }
        Some(RootSpec::App(program)) => Some(format!("the host's files around {}", program.display())),
        _ => config.mounts.iter().find_map(|mount| match &mount.source {
            MountSource::Bind { path, .. } if !mount.writable => Some(path.display().to_string()),
            _ => None,
        }),
    };
    let Some(read_only) = read_only else { return Ok(()) };
    Err(Error::refused(
        format!("a jail that may mount could write to {read_only}: it may remount what is read-only"),
        "take profile app, say security.mount=false, or give it a directory or rw mount of its own",
    ))
}

/// What the configuration asks for must be there, and be possible. Returns those mount sources
/// that are no directories.
fn check(
    name: &Name,
    config: &Config,
    facts: &Facts,
    start: Start<'_>,
    own: Result<()>,
) -> Result<Vec<PathBuf>> {
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    match &config.root.from {
        None => wrong.push(Error::refused(
            format!("jail {name} has no root"),
            format!(
                "say where its files come from: jaula set {name} root.from=dir:PATH (or app:PROGRAM, host)"
            ),
        )),
        Some(_) if config.root.is_own() => wrong.extend(own.err()),
        Some(from) if from.must_be_made() => wrong.push(Error::refused(
            format!(
                "the files of \"{from}\" are yet to be made, and root.store does not say how they are kept"
            ),
            format!("make the jail with its files: jaula build NAME --from {from}"),
        )),
        Some(RootSpec::Dir(path)) if !path.is_dir() => wrong.push(Error::refused(
            format!("root.from: there is no directory {}", path.display()),
            "make it, or name another",
        )),
        Some(_) => {}
    }
    let commands = matches!(config.boot.init, Init::Auto | Init::Command) && !start.rescue;
    let no_init = config.boot.init == Init::Command
        || config.root.from == Some(RootSpec::Host) && !config.root.is_own();
    if commands && no_init && start.command.is_empty() && config.boot.command.is_empty() {
        wrong.push(Error::refused(
            format!("jail {name} has no command"),
            format!("say what it runs: jaula set {name} boot.command='[\"PROGRAM\", \"ARGUMENT\"]'"),
        ));
    }
    let root = &config.root;
    for (key, given) in [("root.size", root.size.is_some()), ("root.inodes", root.inodes.is_some())] {
        if given && !root.is_own() {
            wrong.push(Error::refused(
                format!("{key}: only a jail's own files have a limit, and jail {name} has no root.store"),
                "leave it out, or give the jail files of its own: jaula build",
            ));
        }
    }
    wrong.extend(network::check(config, facts));
    for mount in &config.mounts {
        let MountSource::Bind { path, mapped } = &mount.source else { continue };
        match std::fs::metadata(path) {
            Ok(found) if !found.is_dir() => files.push(path.clone()),
            Ok(_) => {}
            Err(e) => wrong.push(Error::io("use", path)(e)),
        }
        if *mapped && !facts.root() {
            wrong.push(needs_root("idmap"));
        }
    }
    if !facts.root() {
        let written = config.root.writes_in_force() != Writes::Refused;
        if config.root.from == Some(RootSpec::Host)
            && !config.root.is_own()
            && written
            && start.traced.is_none()
        {
            wrong.push(Error::refused(
                "without root, the host's root cannot be written to, not even to forget it",
                "leave root.writes out, or take a directory: --root dir:PATH",
            ));
        }
        if !config.limits.account.is_empty() {
            wrong.push(needs_root("limits.account"));
        }
    }
    let legacy = &facts.cgroups.legacy;
    for controller in &config.limits.account {
        if facts.root() && !legacy.contains_key(controller) && !unified_has(facts, controller) {
            wrong.push(Error::refused(
                format!("limits.account: this host has no controller {controller:?}"),
                "jaula doctor lists those that it has",
            ));
        }
    }
    match wrong.len() {
        0 => Ok(files),
        1 => Err(wrong.remove(0)),
        _ => Err(Error::Several(wrong)),
    }
}

fn unified_has(facts: &Facts, controller: &str) -> bool {
    let file = facts.cgroups.unified.as_ref().map(|at| at.join("cgroup.controllers"));
    let list = file.and_then(|f| std::fs::read_to_string(f).ok()).unwrap_or_default();
    list.split_whitespace().any(|c| c == controller)
}

fn needs_root(what: &str) -> Error {
    Error::refused(
        format!("{what} needs root"),
        "run it as root, or leave it out: jaula doctor says what works without",
    )
}

/// What holds the jail's processes.
pub fn confinement(config: &Config) -> Result<Confinement> {
    checked(Confinement::of(config, facts::ARCH))
}

/// What was made of a configuration, or what is wrong with its system calls.
pub(crate) fn checked<T>(made: std::result::Result<T, Vec<model::seccomp::BadPolicy>>) -> Result<T> {
    made.map_err(|problems| Error::Config {
        problems: problems.iter().map(ToString::to_string).collect(),
        help: Some("jaula config keys describes each key".to_owned()),
    })
}

/// Small files of a jail's root, before it is mounted.
struct RootFiles<'a> {
    house: &'a House,
    name: &'a Name,
    config: &'a Config,
    app: &'a [AppEntry],
    /// Where the files of an app jail were put.
    tree: Option<&'a Path>,
}

impl RootFiles<'_> {
    fn identity(&self, wanted: Option<&str>, facts: &Facts) -> Result<Identity> {
        let Some(wanted) = wanted else { return Ok(Identity::root()) };
        let mut found = Identity::find(wanted, &self.read("etc/passwd"), &self.read("etc/group"))
            .map_err(|e| Error::refused(e.to_string(), "name one of its users, or a number"))?;
        if !facts.root() {
            // Only the caller's own group can be mapped.
            found.groups.clear();
            if wanted == facts.user.to_string() {
                found.group = facts.group;
            }
        }
        Ok(found)
    }

    /// A file that cannot be read knows no users; then numbers still do.
    fn read(&self, file: &str) -> String {
        if let Some(RootSpec::App(_)) = &self.config.root.from {
            let text = self.app.iter().find_map(|entry| match &entry.what {
                AppFile::Text(text) if entry.path == Path::new(file) => Some(text.clone()),
                _ => None,
            });
            let taken = || read_in(self.tree?, file);
            return text.or_else(taken).unwrap_or_default();
        }
        if self.config.root.is_own() {
            let opened = store::look(self.house, self.name, self.config).ok();
            return opened.and_then(|opened| read_at(opened.root(), file)).unwrap_or_default();
        }
        let kept = self.house.kept(self.name).join("overlay/upper");
        let tree = match &self.config.root.from {
            Some(RootSpec::Dir(path)) => path.as_path(),
            _ => Path::new("/"),
        };
        // What the jail has written lies over what it was made of.
        read_in(&kept, file).or_else(|| read_in(tree, file)).unwrap_or_default()
    }
}

fn read_in(tree: &Path, file: &str) -> Option<String> {
    let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
    let top = sys::fs::open(sys::fs::CWD, tree, flags, 0).ok()?;
    read_at(top.as_fd(), file)
}

fn read_at(top: BorrowedFd<'_>, file: &str) -> Option<String> {
    let file = sys::fs::open_in(top, file, sys::fs::O_RDONLY | sys::fs::O_NONBLOCK, 0, sys::fs::Within::Root)
        .ok()?;
    let bytes = sys::fs::read_all(&file, 1 << 20).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The environment of a process inside: nothing of the caller's but the kind of its terminal.
pub(crate) fn environment(
    identity: &Identity,
    own: &std::collections::BTreeMap<String, String>,
    terminal: bool,
) -> Vec<OsString> {
    let mut all: std::collections::BTreeMap<&str, OsString> = [
        ("PATH", PATH.into()),
        ("HOME", identity.home.clone().into_os_string()),
        ("USER", OsString::from(&identity.name)),
        ("LOGNAME", OsString::from(&identity.name)),
        ("SHELL", identity.shell.clone().into_os_string()),
        ("container", "jaula".into()),
    ]
    .into();
    if terminal {
        let kind = std::env::var_os("TERM").filter(|t| !t.is_empty() && t != "dumb");
        all.insert("TERM", kind.unwrap_or_else(|| "xterm".into()));
    }
    all.extend(own.iter().map(|(name, value)| (name.as_str(), OsString::from(value))));
    let one = |(name, value): (&str, OsString)| {
        let mut text = OsString::from(name);
        text.push("=");
        text.push(value);
        text
    };
    all.into_iter().map(one).collect()
}

/// A process to be, with the places where its program may be.
pub(crate) fn first(
    command: &[OsString],
    environment: Vec<OsString>,
    directory: PathBuf,
    identity: &Identity,
    streams: [Stream; 3],
) -> First {
    let name = command.first().map(OsString::as_os_str).unwrap_or_default();
    let path = environment.iter().find_map(|v| v.to_str()?.strip_prefix("PATH=")).unwrap_or(PATH);
    First {
        programs: programs(name, path),
        arguments: command.to_vec(),
        directory,
        or_top: false,
        user: identity.user,
        group: identity.group,
        groups: identity.groups.clone(),
        streams,
        init: Kind::Command,
        environment,
    }
}

/// The program becomes the child of a first process that is jaula's. It is searched for here, where
/// it is looked at as the jail will see it: over the host's root.
fn below_init(first: &mut First) -> Result<()> {
    let command = || first.arguments.first().map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
    let there = first.programs.iter().find(|program| first.directory.join(program).is_file());
    let program = there.cloned().ok_or_else(|| Error::NoProgram { command: command() })?;
    let mode = std::fs::metadata(first.directory.join(&program)).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o111 == 0) {
        return Err(Error::NotExecutable { command: command(), number: sys::Errno(sys::errno::EACCES) });
    }
    let mut arguments = vec![OsString::from("init"), program.into_os_string()];
    arguments.append(&mut first.arguments);
    first.arguments = arguments;
    first.programs = vec![PathBuf::from(INIT)];
    Ok(())
}

pub(crate) fn programs(name: &OsStr, path: &str) -> Vec<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        return vec![PathBuf::from(name)];
    }
    path.split(':').filter(|d| d.starts_with('/')).map(|d| Path::new(d).join(name)).collect()
}
