//! Tools of `examples/`, which run in the directory that they are given and hold no more than they need.

use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [bash_with_jobs, dpkg_deb, gcc, imagemagick, sqlite])
}

/// The working directory of a tool, on the machine and, as `/work`, in the jail.
const WORK: &str = "/root/work:/work:rw,idmap";

/// A recipe's files in the working directory of a new machine.
fn machine<'t>(t: &'t Test, recipe: &str) -> Outcome<Machine<'t>> {
    let machine = Machine::boot(t)?;
    machine.shell(&format!("cp -r /srv/examples/{recipe} /root/work"))?;
    Ok(machine)
}

fn gcc(t: &Test) -> Outcome {
    let machine = machine(t, "gcc")?;
    let cc = |arguments: &str| {
        let run = ["run", "--config", "/root/work/cc.toml", "--mount", WORK, "--", "gcc"];
        machine.jaula().run(&run.into_iter().chain(arguments.split(' ')).collect::<Vec<_>>())
    };
    cc("-O2 -Wall -Werror -o hello hello.c -lm")?.ok()?;
    assert_eq!(machine.shell("/root/work/hello")?, "the square root of two is 1.414\n");
    // Of the machine there is nothing beside the compiler.
    fs::write(machine.path("/root/work/spy.c"), "#include \"/etc/shadow\"\n")?;
    let spy = cc("-c spy.c")?;
    assert!(spy.stderr.contains("/etc/shadow: No such file"), "{spy}");
    fs::write(machine.path("/root/work/spy.s"), ".incbin \"/root/.bashrc\"\n")?;
    let spy = cc("-c spy.s")?;
    assert!(spy.stderr.contains("file not found: /root/.bashrc"), "{spy}");
    Ok(())
}

fn dpkg_deb(t: &Test) -> Outcome {
    let machine = machine(t, "package")?;
    let build = ["dpkg-deb", "--root-owner-group", "--build", "hello", "hello.deb"];
    let run = ["run", "--config", "/root/work/dpkg-deb.toml", "--mount", WORK, "--"];
    machine.jaula().ok(&[&run[..], &build].concat())?;
    machine.shell(
        "mkdir /root/there; dpkg -i --instdir=/root/there --force-not-root --force-script-chrootless /root/work/hello.deb",
    )?;
    assert_eq!(machine.shell("/root/there/usr/bin/jaula-hello")?, "hello\n");
    Ok(())
}

fn imagemagick(t: &Test) -> Outcome {
    let machine = machine(t, "imagemagick")?;
    machine.shell("magick -size 64x48 gradient:red-blue /root/work/in.png")?;
    let magick = |arguments: &[&str]| {
        let run = ["run", "--config", "/root/work/magick.toml", "--mount", WORK, "--", "magick"];
        machine.jaula().run(&[&run[..], arguments].concat())
    };
    magick(&["in.png", "-resize", "50%", "out.jpg"])?.ok()?;
    assert_eq!(machine.shell("magick identify -format '%m %w %h' /root/work/out.jpg")?, "JPEG 32 24");
    // Drawn with a file of the machine, which is not in the jail.
    machine.shell("cp /root/work/in.png /root/secret.png; magick identify /root/secret.png")?;
    let stolen = magick(&["/root/secret.png", "stolen.png"])?;
    assert!(!stolen.status.success() && stolen.stderr.contains("unable to open image"), "{stolen}");
    Ok(())
}

fn sqlite(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell("mkdir /root/work")?;
    let sql = |text: &str| {
        machine.jaula().ok(&["run", "--app", "sqlite3", "--mount", WORK, "--", "sqlite3", "/work/a.db", text])
    };
    sql("create table t (n); insert into t values (40), (2)")?;
    assert_eq!(sql("select sum(n) from t")?, "42\n");
    assert_eq!(machine.shell("sqlite3 /root/work/a.db 'select count(*) from t'")?, "2\n");
    Ok(())
}

/// Says when it runs and when it goes on, which is when it has the terminal.
const JOB: &str = "trap 'echo continued' CONT\necho begun\nwhile :; do sleep 0.1; done\n";

/// Jobs are stopped, listed and continued by the keyboard of a terminal.
fn bash_with_jobs(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    fs::write(machine.path("/root/job"), JOB)?;
    let run =
        "run --app bash --file /usr/bin/sleep --file /usr/bin/cat --mount /root/job:/job -- bash --norc";
    let mut shell = machine.jaula().pty(&run.split(' ').collect::<Vec<_>>())?;
    shell.expect("# ")?;
    shell.send("PS1='ready> '\n")?;
    shell.expect("\nready> ")?;
    shell.send("bash /job\n")?;
    shell.expect("begun")?;
    shell.send("\u{1a}")?;
    shell.expect("Stopped")?;
    shell.expect("ready> ")?;
    shell.send("cat &\n")?;
    shell.expect("[2]")?;
    // It reads from the terminal in the background, which stops it.
    shell.send("while [[ $(jobs -s) != *cat* ]]; do sleep 0.01; done; jobs\n")?;
    shell.expect("Stopped                 bash /job")?;
    shell.expect("Stopped                 cat")?;
    shell.expect("ready> ")?;
    shell.send("bg 1\n")?;
    shell.expect("continued")?;
    shell.send("jobs -r\n")?;
    shell.expect("Running                 bash /job &")?;
    shell.expect("ready> ")?;
    shell.send("fg 2\n")?;
    shell.expect("\ncat")?;
    shell.send("typed to cat\n")?;
    shell.expect("typed to cat\r\ntyped to cat\r\n")?;
    shell.send("\u{4}")?;
    shell.expect("ready> ")?;
    // Only what was stopped is told to continue.
    shell.send("kill -STOP %1; while [[ $(jobs -s) != *job* ]]; do sleep 0.01; done; fg\n")?;
    shell.expect("continued")?;
    shell.send("\u{3}")?;
    shell.expect("ready> ")?;
    shell.send("echo status $?,\n")?;
    shell.expect("status 130,")?;
    shell.expect("ready> ")?;
    shell.send("exit 7\n")?;
    assert_eq!(shell.wait()?.code(), Some(7));
    Ok(())
}
