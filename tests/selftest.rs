//! Tests of the harness: what finds leaks and makes faults must itself be seen to work.

use jaula_tests::harness::{
    Done, Machine, Outcome, Pty, Snapshot, Stop, Survived, Test, ThingKind, Victim, busybox_root, command,
    fault_at_every_call,
};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("harness":
        pure [
            marks_differ,
            a_run_reports_what_a_command_did,
            a_handle_passes_the_root_on_and_reads_json,
            a_command_that_hangs_is_ended,
            an_output_held_open_is_found,
            a_skipped_test_says_why,
        ],
        privileged [
            a_leaked_mount_is_found,
            a_leaked_cgroup_is_found,
            a_leaked_process_is_found,
            a_leaked_interface_and_address_are_found,
            a_leaked_loop_device_is_found,
            a_leaked_table_is_found,
            a_leaked_socket_is_found,
            a_leaked_file_is_found,
            the_main_process_is_killed_at_each_call,
            children_are_killed_at_each_call,
            a_system_call_goes_missing,
            a_disk_fills_up,
            the_busybox_root_works,
            a_terminal_is_one,
            a_killed_maker_of_namespaces_leaves_nothing,
            machines_are_apart,
        ],
    )
}

fn marks_differ(t: &Test) -> Outcome {
    assert!(t.name("www").starts_with("www-") && t.name("www").contains(t.mark()));
    assert!(t.root().ends_with(t.mark()) && t.root().as_os_str().len() < 40);
    Ok(())
}

fn a_run_reports_what_a_command_did(_: &Test) -> Outcome {
    let done = command(&["sh", "-c", "echo out; echo err >&2; exit 3"])?;
    assert_eq!((done.stdout.as_str(), done.stderr.as_str(), done.status.code()), ("out\n", "err\n", Some(3)));
    assert!(done.ok().is_err());
    Ok(())
}

fn a_handle_passes_the_root_on_and_reads_json(t: &Test) -> Outcome {
    let sh = t.jaula().instead("/bin/sh");
    let json = sh.json(&["-c", "printf '{\"root\": \"%s\"}' $JAULA_ROOT"])?;
    assert_eq!(json["root"].as_str(), t.root().to_str());
    assert_eq!(sh.feed(&["-c", "read line; echo $line"], b"typed\n")?.ok()?, "typed\n");
    assert!(sh.json(&["-c", "echo no json"]).is_err() && sh.fails(&["-c", "true"]).is_err());
    Ok(())
}

fn a_command_that_hangs_is_ended(t: &Test) -> Outcome {
    let sleep = t.jaula().instead("sleep").within(Duration::from_millis(100));
    assert!(matches!(sleep.run(&["1000"]), Err(Stop::Failed(why)) if why.contains("not ended")));
    Ok(())
}

fn an_output_held_open_is_found(t: &Test) -> Outcome {
    let held = t.jaula().instead("/bin/sh").run(&["-c", "sleep 6 &"]);
    assert!(matches!(held, Err(Stop::Failed(why)) if why.contains("still held open")));
    Ok(())
}

fn a_skipped_test_says_why(t: &Test) -> Outcome {
    let stop = t.skip::<()>("no reason");
    assert!(matches!(stop, Err(Stop::Skipped(why)) if why == "no reason"));
    Ok(())
}

/// Leaks with `leak`, looks for the one kind of thing, and tidies with `tidy`.
fn found(t: &Test, kind: ThingKind, leak: &str, tidy: &str) -> Outcome {
    let shell = |script: &str| {
        let script = script.replace("MARK", t.mark()).replace("DIR", &t.root().to_string_lossy());
        command(&["sh", "-ec", &script])?.ok()
    };
    let before = Snapshot::take();
    shell(leak)?;
    let (ours, new) = (t.left_behind(), Snapshot::take().since(&before));
    shell(tidy)?;
    let found = ours.of(kind).count();
    assert!(found > 0, "not found among what bears the mark:\n{ours}");
    assert!(new.of(kind).count() >= found, "not found among what is new:\n{new}");
    let after = Snapshot::settle(Duration::from_secs(3), || t.left_behind());
    assert!(after.is_empty(), "still there:\n{after}");
    Ok(())
}

fn a_leaked_mount_is_found(t: &Test) -> Outcome {
    found(t, ThingKind::Mount, "mkdir DIR/m; mount -t tmpfs none DIR/m", "umount DIR/m")
}

fn a_leaked_cgroup_is_found(t: &Test) -> Outcome {
    let cgroups = fs::read_to_string("/proc/self/mountinfo")?;
    let point =
        cgroups.lines().find(|line| line.contains(" - cgroup")).and_then(|line| line.split(' ').nth(4));
    let Some(point) = point else { return t.skip("no cgroup hierarchy is mounted here") };
    let deep = format!("{point}/x-MARK/a/b");
    found(
        t,
        ThingKind::Cgroup,
        &format!("mkdir -p {deep}"),
        &format!("rmdir {deep} {point}/x-MARK/a {point}/x-MARK"),
    )
}

fn a_leaked_process_is_found(t: &Test) -> Outcome {
    found(
        t,
        ThingKind::Process,
        "JAULA_ROOT=DIR setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >DIR/pid
         until grep -q JAULA_ROOT=DIR /proc/$!/environ; do :; done",
        "kill $(cat DIR/pid)",
    )
}

fn a_leaked_interface_and_address_are_found(t: &Test) -> Outcome {
    // A name has at most 15 bytes, so the mark stands in the alias.
    let leak = "ip link add jt-test type veth peer name jt-peer; ip link set jt-test alias MARK";
    found(t, ThingKind::Network, leak, "ip link del jt-test")?;
    let before = Snapshot::take();
    command(&["ip", "addr", "add", "192.0.2.77/32", "dev", "lo"])?.ok()?;
    let new = Snapshot::take().since(&before);
    command(&["ip", "addr", "del", "192.0.2.77/32", "dev", "lo"])?.ok()?;
    assert!(new.of(ThingKind::Network).any(|thing| thing.key == "address 192.0.2.77"), "{new}");
    Ok(())
}

fn a_leaked_loop_device_is_found(t: &Test) -> Outcome {
    found(
        t,
        ThingKind::Loop,
        "truncate -s 1M DIR/image; losetup --show -f DIR/image >DIR/device",
        "losetup -d $(cat DIR/device)",
    )
}

fn a_leaked_table_is_found(t: &Test) -> Outcome {
    found(t, ThingKind::Firewall, "nft add table inet MARK", "nft delete table inet MARK")
}

fn a_leaked_socket_is_found(t: &Test) -> Outcome {
    let listen = "import socket,time; s=socket.socket(socket.AF_UNIX); s.bind(\"\\0MARK\"); s.listen(); \
                  print(flush=True); time.sleep(1000)";
    let leak = format!(
        "python3 -c '{listen}' </dev/null >DIR/ready 2>&1 & echo $! >DIR/pid; until [ -s DIR/ready ]; do sleep 0.1; done"
    );
    found(t, ThingKind::Socket, &leak, "kill $(cat DIR/pid)")
}

fn a_leaked_file_is_found(t: &Test) -> Outcome {
    found(t, ThingKind::RunFile, "mkdir -p DIR/run/jaula/www; echo >DIR/run/jaula/www/state", "rm -r DIR/run")
}

/// Kills a shell at each call of the victim; gives how often it got as far as writing `done`.
fn kill_shell(t: &Test, victim: Victim) -> Outcome<(Survived, u32)> {
    let mark = t.root().join("done");
    let script = format!("(exit 3); : >{}", mark.display());
    let mut finished = 0;
    let check = |_: &Done| {
        finished += u32::from(fs::remove_file(&mark).is_ok());
        Ok(())
    };
    let shell = || {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]);
        Ok(shell)
    };
    Ok((fault_at_every_call(victim, shell, check)?, finished))
}

fn the_main_process_is_killed_at_each_call(t: &Test) -> Outcome {
    let (survived, finished) = kill_shell(t, Victim::Main)?;
    assert!(survived.kills > 15, "{survived:?}: a shell makes more system calls than that");
    assert!(finished > 0 && finished < survived.kills / 2, "{survived:?}, {finished} finished");
    Ok(())
}

fn children_are_killed_at_each_call(t: &Test) -> Outcome {
    let (survived, finished) = kill_shell(t, Victim::Children)?;
    assert!((1..15).contains(&survived.kills), "{survived:?}: a subshell that only exits makes few calls");
    assert_eq!(finished, survived.kills + 1, "the shell goes on when its subshell is killed");
    Ok(())
}

fn a_system_call_goes_missing(t: &Test) -> Outcome {
    let sh = t.jaula().instead("/bin/sh").without_system_calls(&["mkdir", "mkdirat"]);
    // In a child as well.
    let said = sh.fails(&["-c", "(mkdir $JAULA_ROOT/never); exit 1"])?;
    assert!(said.contains("not implemented"), "{said}");
    Ok(())
}

fn a_disk_fills_up(t: &Test) -> Outcome {
    use jaula_tests::harness::SmallDisk;
    let disk = SmallDisk::mount(t, 1 << 20)?;
    disk.fill_but(4096)?;
    let file: PathBuf = t.root().join("file");
    assert_eq!(fs::write(&file, [0; 20_000]).map_err(|e| e.kind()), Err(std::io::ErrorKind::StorageFull));
    disk.free()?;
    fs::write(&file, [0; 20_000])?;
    Ok(())
}

fn the_busybox_root_works(_: &Test) -> Outcome {
    let root = busybox_root()?;
    let inside =
        command(&["chroot", &root.to_string_lossy(), "/bin/sh", "-c", "ls /bin/awk; id -un"])?.ok()?;
    assert_eq!(inside, "/bin/awk\nroot\n");
    Ok(())
}

fn a_terminal_is_one(_: &Test) -> Outcome {
    let mut shell = Command::new("sh");
    shell.args(["-c", "tty; stty size; read line; echo got $line; read size </dev/tty; stty size; exit 4"]);
    let mut terminal = Pty::spawn(&shell)?;
    terminal.expect("/dev/pts/")?;
    terminal.expect("24 80")?;
    terminal.send("hello\n")?;
    terminal.expect("got hello")?;
    terminal.resize(50, 132)?;
    terminal.send("\n")?;
    terminal.expect("50 132")?;
    assert_eq!(terminal.wait()?.code(), Some(4));
    Ok(())
}

/// What tests of jaula do, on a program whose jails are a process and nothing else: whoever is
/// killed wherever, the jail is gone with its first process.
fn a_killed_maker_of_namespaces_leaves_nothing(t: &Test) -> Outcome {
    let jail = || {
        let words = ["--mount", "--pid", "--fork", "--kill-child", "true"];
        t.jaula().instead("unshare").command(words)
    };
    let check = |_: &Done| {
        let left = Snapshot::settle(Duration::from_secs(2), || t.left_behind());
        if left.is_empty() { Ok(()) } else { Err(left.into()) }
    };
    let main = fault_at_every_call(Victim::Main, jail, check)?;
    let children = fault_at_every_call(Victim::Children, jail, check)?;
    assert!(main.kills > 30 && children.kills > 20, "{main:?} {children:?}");
    Ok(())
}

/// Two machines of one tree: each has its own files, processes, name and ports, and ends with all that runs.
fn machines_are_apart(t: &Test) -> Outcome {
    let (one, other) = (Machine::boot(t)?, Machine::boot_with_own_usr(t)?);
    for machine in [&one, &other] {
        // Both on one port.
        machine.shell("nc -l -k 127.0.0.1 80 </dev/null >/dev/null 2>&1 & echo > /etc/jaula-was-here")?;
        let said = machine.jaula().ok(&["run", "--app", "bash", "--", "bash", "-c", "echo $$"])?;
        if said.trim() != "1" {
            return Err(format!("no jail in a machine: {said:?}").into());
        }
        // Only its own processes: the first, the server, and ps.
        let processes = machine.shell("ps -e -o comm=")?;
        if processes.lines().count() != 3 || !processes.contains("nc") {
            return Err(format!("not the machine's own processes: {processes}").into());
        }
    }
    other.shell("mv /usr/bin/logger /usr/bin/logger-is-gone")?;
    one.shell("test -e /usr/bin/logger; ! touch /usr/bin/new 2>/dev/null")?;
    drop((one, other));
    let again = Machine::boot(t)?;
    again.shell("test ! -e /etc/jaula-was-here; test ! -e /usr/bin/logger-is-gone")?;
    Ok(())
}
