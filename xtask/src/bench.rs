//! Benchmarks: jaula against the least that the kernel asks for, and against its peers, in one
//! run on one machine.

mod app;
mod boot;
mod contender;
mod exec;
mod many;
mod network;
mod peers;
mod plot;
mod report;
mod start;
mod store;
mod timing;
mod trace;
mod unpack;

use crate::release;
use crate::shell::{Result, command, output, run, target, top};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// `bench start|exec|many|addresses|trace|app|store|unpack|boot|network|all`
pub(crate) fn bench(which: &str) -> Result {
    let ground = Ground::prepare()?;
    match which {
        "start" => start::start(&ground),
        "exec" => exec::exec(&ground),
        "many" => many::many(&ground),
        "addresses" => many::addresses(&ground),
        "trace" => trace::trace(&ground),
        "app" => app::app(&ground),
        "store" => store::store(&ground),
        "network" => network::network(&ground),
        "unpack" => unpack::unpack(&ground),
        "boot" => boot::boot(&ground),
        "all" => {
            start::start(&ground)?;
            exec::exec(&ground)?;
            many::many(&ground)?;
            many::addresses(&ground)?;
            trace::trace(&ground)?;
            app::app(&ground)?;
            store::store(&ground)?;
            network::network(&ground)?;
            unpack::unpack(&ground)?;
            boot::boot(&ground)
        }
        _ => {
            Err("usage: cargo xtask bench start|exec|many|addresses|trace|app|store|unpack|boot|network|all"
                .into())
        }
    }
}

/// The programs and directories that benchmarks use, in `target/bench`.
struct Ground {
    directory: PathBuf,
    /// A root that holds `/bin/true` and empty `/proc` and `/dev`.
    root: PathBuf,
    /// The release build of jaula, if there is one that starts jails.
    jaula: Option<PathBuf>,
}

impl Ground {
    fn prepare() -> Result<Self> {
        if output(&mut command(&["id", "-u"]))?.trim() != "0" {
            return Err("benchmarks make jails with all namespaces; run this as root".into());
        }
        let directory = target().join("bench");
        let root = directory.join("root");
        for inside in ["bin", "proc", "dev"] {
            fs::create_dir_all(root.join(inside))?;
        }
        let directory = directory.canonicalize()?;
        let root = directory.join("root");
        for program in ["true", "floor", "enter"] {
            let source = top().join("bench").join(program).with_extension("c");
            let built = directory.join(program);
            run(command(&["cc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
                .arg(built)
                .arg(source))?;
        }
        fs::copy(directory.join("true"), root.join("bin/true"))?;
        let mut ground = Self { directory, root, jaula: None };
        ground.jaula = ground.working_jaula()?;
        Ok(ground)
    }

    /// A jaula that cannot start a jail would come out fast.
    fn working_jaula(&self) -> Result<Option<PathBuf>> {
        let jaula = self.installed(&release::build()?)?;
        let mut trial = command(&[&jaula]);
        trial.env("JAULA_ROOT", self.jaula_root()?);
        let said = output(trial.args(self.jaula_run()).args(["/bin/true", "say"]));
        if said.as_ref().is_ok_and(|said| said == "here\n") {
            return Ok(Some(jaula));
        }
        let why = said.map_or_else(|error| error.to_string(), |said| format!("it said {said:?}"));
        println!("bench: without jaula, which starts no jail: {why}");
        Ok(None)
    }

    /// A copy of the binary, written as packages are installed. What a linker writes page by page
    /// lies in the page cache in single pages, each of which costs a start its own mapping.
    fn installed(&self, built: &Path) -> Result<PathBuf> {
        let installed = self.directory.join("jaula");
        fs::write(&installed, fs::read(built)?)?;
        fs::set_permissions(&installed, fs::Permissions::from_mode(0o755))?;
        Ok(installed)
    }

    /// The words between `jaula` and the command that is to run in the small root.
    fn jaula_run(&self) -> Vec<String> {
        vec!["run".to_owned(), "--root".to_owned(), format!("dir:{}", self.root.display())]
    }

    /// One of the C programs.
    fn program(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// The root as an argument.
    fn root(&self) -> String {
        self.root.display().to_string()
    }

    /// An empty directory for one benchmark.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        empty(self.directory.join(name))
    }

    /// An empty `JAULA_ROOT`; its path is short because those of sockets must be. It is in memory
    /// as `/run` is on every distribution, though perhaps not on this machine.
    fn jaula_root(&self) -> Result<PathBuf> {
        empty(PathBuf::from("/dev/shm/jaula-bench"))
    }
}

/// Makes the directory empty. Where an earlier run left a mount, nothing is deleted: behind it
/// are files that are not ours.
fn empty(directory: PathBuf) -> Result<PathBuf> {
    let text = directory.display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    if let Some(mount) =
        mounts.lines().filter_map(|line| line.split(' ').nth(4)).find(|at| at.starts_with(&text))
    {
        return Err(format!("an earlier run left a mount at {mount}; stop its jail or unmount it").into());
    }
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    Ok(directory)
}
