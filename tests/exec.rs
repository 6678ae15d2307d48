//! `jaula exec` and `jaula enter`: one more program in a jail that runs.

use crate::ground::{dir, one_clear_line, tree};
use jaula_tests::harness::{Done, Outcome, Pty, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("exec": privileged [
        it_is_one_of_the_jails_processes,
        it_is_held_as_the_first_one_is,
        it_ends_as_its_command_does,
        it_is_who_it_should_be,
        it_begins_where_it_should,
        ten_megabytes_pass_both_ways,
        outputs_stay_apart,
        none_of_the_callers_descriptors_is_inside,
        no_link_leads_through_the_callers_descriptors,
        a_directory_is_no_standard_stream,
        it_can_signal_a_jail_that_shares_the_network,
        it_works_without_root,
        a_shell_on_a_terminal,
        a_login_shell,
        a_login_without_terminal_or_home,
        what_a_pipe_does_not_take_goes_to_the_terminal,
        the_terminal_is_restored,
        a_closed_terminal_hangs_up,
        a_false_terminal_is_refused,
        nobody_lies_in_wait,
    ])
}

/// A jail in which a program waits; ended when dropped.
struct Waiting {
    name: String,
    child: Child,
}

impl Waiting {
    fn begin(t: &Test, root: &Path, options: &[&str]) -> Outcome<Self> {
        let name = t.name("x");
        let root = dir(root);
        let words = ["run", "--name", &name, "--root", &root, "--set", "root.writes=refused"];
        let mut command = t.jaula().command(words.iter().chain(options).chain(&["sleep", "1000"]))?;
        let child = command.stdin(Stdio::null()).spawn()?;
        let jail = Self { name, child };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !t.jaula().run(&["exec", &jail.name, "true"])?.status.success() {
            if Instant::now() > deadline {
                return Err("the jail does not start".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(jail)
    }

    fn run(&self, t: &Test, options: &[&str], command: &[&str]) -> Outcome<Done> {
        t.jaula().run(&[&["exec", &self.name], options, &["--"], command].concat())
    }

    fn shell(&self, t: &Test, script: &str) -> Outcome<String> {
        t.jaula().exec(&self.name, &["sh", "-c", script])
    }

    /// Typed on a shell outside, this is the command that enters.
    fn typed(&self, t: &Test, words: &str) -> Outcome<String> {
        let command = t.jaula().command([""; 0])?;
        let root = t.root().display();
        let program = command.get_program().display().to_string();
        Ok(format!("JAULA_ROOT={root} {program} {}\n", words.replace("NAME", &self.name)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        _ = signal(&self.child, Signal::TERM);
        _ = self.child.wait();
    }
}

fn signal(child: &Child, signal: Signal) -> Outcome {
    let pid = i32::try_from(child.id())?;
    Ok(kill_process(Pid::from_raw(pid).ok_or("no process")?, signal)?)
}

fn waiting(t: &Test) -> Outcome<Waiting> {
    Waiting::begin(t, &tree(t)?, &[])
}

fn it_is_one_of_the_jails_processes(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let script = "for n in user mnt pid uts ipc net cgroup; do
        [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] || echo $n differs
    done; tail -n 1 /proc/self/cgroup; pwd; ps -o pid,comm | grep sleep";
    assert_eq!(jail.shell(t, script)?, "0::/\n/\n    1 sleep\n");
    Ok(())
}

fn it_is_held_as_the_first_one_is(t: &Test) -> Outcome {
    for profile in ["app", "strict", "server"] {
        let jail = Waiting::begin(t, &tree_once(t)?, &["--profile", profile])?;
        let script = "for p in 1 self; do
            grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters):' /proc/$p/status | md5sum
            grep -v 'open files' /proc/$p/limits | md5sum
        done";
        let sums = jail.shell(t, script)?;
        let sums: Vec<&str> = sums.lines().collect();
        assert_eq!(sums.len(), 4, "{profile}: {sums:?}");
        assert_eq!(sums[..2], sums[2..], "{profile}");
    }
    Ok(())
}

fn tree_once(t: &Test) -> Outcome<std::path::PathBuf> {
    let made = t.root().join("tree");
    if made.exists() { Ok(made) } else { tree(t) }
}

fn it_ends_as_its_command_does(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    for (command, status) in [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let done = jail.run(t, &[], &["sh", "-c", command])?;
        assert_eq!((done.status.code(), &*done.stderr), (Some(status), ""), "{command}");
    }
    one_clear_line(&jail.run(t, &[], &["nonsense"])?, 127, &["nonsense"])?;
    one_clear_line(&jail.run(t, &[], &["/etc/passwd"])?, 126, &["/etc/passwd", "Permission denied"])?;
    one_clear_line(&t.jaula().run(&["exec", &t.name("none"), "true"])?, 125, &["there is no jail"])?;
    let name = jail.name.clone();
    drop(jail);
    one_clear_line(&t.jaula().run(&["exec", &name, "true"])?, 125, &[&name])
}

fn it_is_who_it_should_be(t: &Test) -> Outcome {
    let tree = tree(t)?;
    fs::write(tree.join("etc/group"), "root:x:0:\nalice:x:1000:\nmusic:x:1005:alice\n")?;
    let jail = Waiting::begin(t, &tree, &[])?;
    let id = |user: &str| jail.run(t, &["--user", user], &["sh", "-c", "id -u; id -g; id -G"])?.ok();
    assert_eq!(id("alice")?, "1000\n1000\n1000 1005\n");
    assert_eq!(id("1000")?, "1000\n1000\n1000 1005\n");
    assert_eq!(id("alice:music")?, "1000\n1005\n1005\n");
    assert_eq!(id("77:78")?, "77\n78\n78\n");
    assert_eq!(id("0")?, "0\n0\n0\n");
    one_clear_line(&jail.run(t, &["--user", "nonsense"], &["true"])?, 125, &["no user \"nonsense\""])?;
    one_clear_line(&jail.run(t, &["--user", "65536"], &["true"])?, 125, &["65536", "0 to 65535"])?;
    let variables = jail.run(t, &["--user", "alice", "--env", "A=b", "--env", "HOME=/x"], &["env"])?.ok()?;
    for line in ["USER=alice", "SHELL=/bin/sh", "A=b", "HOME=/x", "container=jaula"] {
        assert!(variables.lines().any(|l| l == line), "{line} in {variables}");
    }
    assert!(!variables.contains("JAULA_ROOT"), "the caller's: {variables}");
    Ok(())
}

fn it_begins_where_it_should(t: &Test) -> Outcome {
    let jail = Waiting::begin(t, &tree(t)?, &["--directory", "/var", "--env", "FROM=jail"])?;
    assert_eq!(jail.shell(t, "pwd; echo $FROM")?, "/var\njail\n");
    let inside =
        jail.run(t, &["--directory", "/tmp", "--env", "FROM=here"], &["sh", "-c", "pwd; echo $FROM"])?;
    assert_eq!(inside.ok()?, "/tmp\nhere\n");
    one_clear_line(
        &jail.run(t, &["--directory", "/nowhere"], &["true"])?,
        125,
        &["\"/nowhere\"", "No such"],
    )?;
    let above = jail.run(t, &["--directory", "/../../.."], &["sh", "-c", "pwd; ls /bin/probe"])?;
    assert_eq!(above.ok()?, "/\n/bin/probe\n");
    Ok(())
}

fn ten_megabytes_pass_both_ways(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let sent: Vec<u8> = (0..10_000_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut command = t.jaula().command(["exec", &jail.name, "--", "sh", "-c", "cat; echo end >&2"])?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut stdin, copy) = (child.stdin.take().ok_or("no input")?, sent.clone());
    let writer = thread::spawn(move || stdin.write_all(&copy));
    let mut back = Vec::new();
    child.stdout.take().ok_or("no output")?.read_to_end(&mut back)?;
    writer.join().map_err(|_| "the writer failed")??;
    let done = child.wait_with_output()?;
    assert!(back == sent, "{} bytes came back", back.len());
    assert_eq!((done.status.code(), &done.stderr[..]), (Some(0), &b"end\n"[..]));
    Ok(())
}

fn outputs_stay_apart(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let done = jail.run(t, &[], &["sh", "-c", "echo out; echo err >&2; tty; cat"])?;
    assert_eq!((&*done.stdout, &*done.stderr), ("out\nnot a tty\n", "err\n"));
    Ok(())
}

/// jaula's command line run by a bash that has 200 descriptors of the host's open, directories
/// among them.
fn with_descriptors(t: &Test, words: &str) -> Outcome<Done> {
    let script = "for n in $(seq 3 2 201); do eval \"exec $n</ $((n + 1))</etc/hostname\"; done; exec \"$@\"";
    let jaula = t.jaula().command(words.split(' '))?;
    let mut all = vec!["-c".to_owned(), script.to_owned(), "bash".to_owned()];
    all.push(jaula.get_program().to_string_lossy().into_owned());
    all.extend(words.split(' ').map(str::to_owned));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    t.jaula().instead("bash").run(&all)
}

fn none_of_the_callers_descriptors_is_inside(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    // 3 is the directory that ls reads.
    assert_eq!(
        with_descriptors(t, &format!("exec {} -- ls /proc/self/fd", jail.name))?.ok()?,
        "0\n1\n2\n3\n"
    );
    let probed = with_descriptors(t, &format!("exec {} -- probe fds cwd", jail.name))?;
    assert!(!probed.stdout.contains("escaped"), "{probed}");
    Ok(())
}

/// CVE-2024-21626: a path of the jail's that leads through a descriptor of the caller's.
fn no_link_leads_through_the_callers_descriptors(t: &Test) -> Outcome {
    let tree = tree(t)?;
    symlink("/proc/self/fd/77", tree.join("leak"))?;
    symlink("/proc/self/fd/77/bin/true", tree.join("bin/leak"))?;
    let jail = Waiting::begin(t, &tree, &[])?;
    for directory in ["/leak", "/proc/self/fd/77", "/proc/self/fd/77/etc"] {
        let done = with_descriptors(t, &format!("exec {} --directory {directory} -- pwd", jail.name))?;
        one_clear_line(&done, 125, &["cannot begin"])?;
    }
    for program in ["leak", "/proc/self/fd/77/bin/true"] {
        one_clear_line(&with_descriptors(t, &format!("exec {} -- {program}", jail.name))?, 127, &[program])?;
    }
    let run = format!("run --root {} --directory /leak -- pwd", dir(&tree));
    one_clear_line(&with_descriptors(t, &run)?, 125, &["/leak"])
}

fn a_directory_is_no_standard_stream(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let child = t.jaula().command(["exec", &jail.name, "--", "ls"])?.stdin(fs::File::open("/")?).output()?;
    assert_eq!(child.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&child.stderr).contains("standard input is a directory"));
    Ok(())
}

fn it_can_signal_a_jail_that_shares_the_network(t: &Test) -> Outcome {
    let jail = Waiting::begin(t, &tree(t)?, &["--network", "host"])?;
    assert_eq!(jail.shell(t, "kill -0 1 && echo yes")?, "yes\n");
    Ok(())
}

fn it_works_without_root(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let home = t.root().join("nobody");
    let binary = home.join("jaula");
    fs::create_dir(&home)?;
    fs::copy(t.jaula().command([""; 0])?.get_program(), &binary)?;
    rustix::fs::chown(&home, Some(rustix::fs::Uid::from_raw(65534)), None)?;
    let words = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "env"];
    let nobody = |command: &[&str]| {
        let root = format!("JAULA_ROOT={}", home.display());
        let binary = binary.to_string_lossy();
        t.jaula().instead("setpriv").command([&words[..], &[&root, &binary], command].concat())
    };
    let name = t.name("n");
    let mut run = nobody(&["run", "--name", &name, "--root", &dir(&tree), "sleep", "1000"])?.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let script = "id -u; tty >/dev/null || echo no tty; kill -0 1 && echo signal";
    let said = loop {
        let done = nobody(&["exec", &name, "sh", "-c", script])?.output()?;
        if done.status.success() || Instant::now() > deadline {
            break String::from_utf8_lossy(&done.stdout).into_owned()
                + &String::from_utf8_lossy(&done.stderr);
        }
        thread::sleep(Duration::from_millis(20));
    };
    let terminal =
        nobody(&["exec", &name, "--tty", "sh", "-c", "exec 4<>$(tty) && echo mine >&4"])?.output()?;
    let other = nobody(&["exec", &name, "--user", "root", "true"])?.output()?;
    signal(&run, Signal::TERM)?;
    run.wait()?;
    assert_eq!(said, "65534\nno tty\nsignal\n");
    assert_eq!(terminal.stdout, b"mine\r\n", "{}", String::from_utf8_lossy(&terminal.stderr));
    assert!(String::from_utf8_lossy(&other.stderr).contains("one user, 65534"));
    Ok(())
}

fn a_shell_on_a_terminal(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let mut terminal = t.jaula().pty(&["exec", &jail.name, "--user", "alice", "sh"])?;
    terminal.send("stty size; exec 4<>$(tty) && echo mi''ne >&4\n")?;
    terminal.expect("24 80")?;
    terminal.expect("mine")?;
    terminal.resize(50, 132)?;
    terminal.send("until stty size | grep '50 13[2]'; do :; done\n")?;
    terminal.expect("50 132")?;
    terminal.send("sleep 1000\n")?;
    thread::sleep(Duration::from_millis(300));
    terminal.send("\x1a")?;
    terminal.expect("Stopped")?;
    terminal.send("jobs; fg\n")?;
    terminal.expect("sleep 1000")?;
    thread::sleep(Duration::from_millis(300));
    terminal.send("\x03")?;
    terminal.send("echo st''atus $?\n")?;
    terminal.expect("status 130")?;
    terminal.send("cat\n")?;
    thread::sleep(Duration::from_millis(300));
    terminal.send("typed\n\x04")?;
    terminal.expect("typed\r\ntyped")?;
    terminal.send("exit 7\n")?;
    assert_eq!(terminal.wait()?.code(), Some(7));
    Ok(())
}

fn a_login_shell(t: &Test) -> Outcome {
    let tree = tree(t)?;
    fs::write(tree.join("etc/passwd"), "root:x:0:0:root:/root:/bin/ash\nbob:x:9:9::/none:/bin/gone\n")?;
    let jail = Waiting::begin(t, &tree, &[])?;
    let mut terminal = t.jaula().pty(&["enter", &jail.name])?;
    terminal.send("echo $0 $PWD $HOME $TERM; exit 5\n")?;
    terminal.expect("-ash /root /root xterm")?;
    assert_eq!(terminal.wait()?.code(), Some(5));
    // Neither the shell nor the home of this one is there.
    let mut terminal = t.jaula().pty(&["enter", &jail.name, "--user", "bob"])?;
    terminal.send("echo $0 $PWD $(id -u); exit 6\n")?;
    terminal.expect("-sh / 9")?;
    assert_eq!(terminal.wait()?.code(), Some(6));
    Ok(())
}

fn a_login_without_terminal_or_home(t: &Test) -> Outcome {
    let tree = tree(t)?;
    fs::write(tree.join("etc/passwd"), "alice:x:1000:1000::/root:/bin/sh\n")?;
    fs::set_permissions(tree.join("root"), std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let jail = Waiting::begin(t, &tree, &[])?;
    let done = t.jaula().feed(&["enter", &jail.name, "--user", "alice"], b"pwd; id -u; exit 4\n")?;
    assert_eq!((&*done.stdout, done.status.code()), ("/\n1000\n", Some(4)), "{done}");
    Ok(())
}

/// `jaula exec … | less` at a terminal: what is said on standard error must not get into the pipe.
fn what_a_pipe_does_not_take_goes_to_the_terminal(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let mut shell = Pty::spawn(&Command::new("sh"))?;
    let script = "'echo out; echo err >&2'";
    shell.send(&jail.typed(t, &format!("exec NAME sh -c {script} | sed 's/^/piped: /'; echo do''ne"))?)?;
    let shown = shell.expect("done")?;
    let ends = |with| shown.lines().any(|line| line.trim_end().ends_with(with));
    assert!(ends("piped: out") && ends("err") && !ends("piped: err"), "{shown}");
    Ok(())
}

/// However it ends: by itself, by a signal to it or to jaula, with its jail.
fn the_terminal_is_restored(t: &Test) -> Outcome {
    type End = fn(&mut Pty, &Waiting) -> Outcome;
    let by_signal: End = |_, jail| {
        let found = command(&["pgrep", "-xf", &format!(".*jaula enter {}", jail.name)])?.ok()?;
        let pid = Pid::from_raw(found.trim().parse()?).ok_or("no process")?;
        Ok(kill_process(pid, Signal::TERM)?)
    };
    let ends: [(&str, &str, End); 4] = [
        ("exec NAME sh", "st 3", |shell, _| shell.send("exit 3\n")),
        ("exec NAME sh", "st 137", |shell, _| shell.send("stty raw; kill -9 $$\n")),
        // An interactive shell ignores SIGTERM, but not the loss of its terminal.
        ("enter NAME", "st 1", by_signal),
        ("enter NAME", "st 137", |_, jail| signal(&jail.child, Signal::TERM)),
    ];
    for (words, status, end) in ends {
        let jail = Waiting::begin(t, &tree_once(t)?, &[])?;
        let mut shell = Pty::spawn(&Command::new("sh"))?;
        let enter = jail.typed(t, words)?;
        let enter = enter.trim();
        shell.send(&format!("A=$(stty -g); {enter}; echo st $?; [ $A = $(stty -g) ] && echo sa''me\n"))?;
        shell.send("echo in''side $(stty -g)\n")?;
        shell.expect("inside")?;
        end(&mut shell, &jail)?;
        shell.expect(status)?;
        shell.expect("same")?;
    }
    Ok(())
}

fn a_closed_terminal_hangs_up(t: &Test) -> Outcome {
    let jail = waiting(t)?;
    let script = "import os,pty,sys,time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
os.write(fd, b'sleep 4321\\n')
time.sleep(0.7)
os.close(fd)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let jaula = t.jaula().command([""; 0])?;
    let program = jaula.get_program().to_string_lossy().into_owned();
    let said = t.jaula().instead("python3").run(&["-c", script, &program, "enter", &jail.name])?.ok()?;
    assert_ne!(said, "0\n", "it was ended, and did not end");
    let left = jail.shell(t, "sleep 0.3; ps -o args | grep -c '[s]leep 4321'; true")?;
    assert_eq!(left, "0\n");
    Ok(())
}

/// What the jail has where its terminals should be is looked at before it is used.
fn a_false_terminal_is_refused(t: &Test) -> Outcome {
    let jail = Waiting::begin(t, &tree(t)?, &["--profile", "server"])?;
    for false_one in ["mkfifo /tmp/f", "touch /tmp/f", "ln -s /dev/null /tmp/f"] {
        let script = format!("rm -f /tmp/f; {false_one} && mount --bind /tmp/f /dev/pts/ptmx");
        jail.shell(t, &script)?;
        one_clear_line(&jail.run(t, &["--tty"], &["true"])?, 125, &["is no terminal"])?;
        jail.shell(t, "umount /dev/pts/ptmx")?;
    }
    jail.run(t, &["--tty"], &["true"])?.ok()?;
    Ok(())
}

/// CVE-2019-5736, CVE-2016-9962: root inside waits for whoever enters.
fn nobody_lies_in_wait(t: &Test) -> Outcome {
    for profile in ["app", "server"] {
        let jail = Waiting::begin(t, &tree_once(t)?, &["--profile", profile])?;
        for watch in ["exe-watch", "ptrace-watch"] {
            let watch = t
                .jaula()
                .command(["exec", &jail.name, "--", "probe", watch, "3"])?
                .stdout(Stdio::piped())
                .spawn()?;
            let end = Instant::now() + Duration::from_secs(3);
            while Instant::now() < end {
                jail.run(t, &[], &["true"])?;
            }
            let said = String::from_utf8_lossy(&watch.wait_with_output()?.stdout).into_owned();
            assert!(said.contains("refused") || said.contains("harmless"), "{profile}: {said}");
        }
    }
    Ok(())
}
