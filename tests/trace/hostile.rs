//! A program that means harm while it is traced, and a trace that is cut short.

use super::{Seen, compile, run, text};
use crate::ground::Outside;
use jaula_tests::harness::{Done, Outcome, Test, Victim, command, fault_at_calls, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub(super) fn trials() -> Vec<Trial> {
    trials!("trace": privileged [
        a_setuid_program_gains_nothing,
        what_is_written_is_forgotten,
        the_disk_cannot_be_filled,
        it_cannot_fork_without_end,
        no_probe_escapes,
        cut_short_at_any_call,
        its_first_process_is_killed,
    ])
}

fn a_setuid_program_gains_nothing(t: &Test) -> Outcome {
    let source = "#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf(\"%d\\n\", geteuid()); }";
    let program = compile(t, "setuid", source, &[])?;
    command(&["chmod", "4755", &text(&program)])?.ok()?;
    let done = run(t, &["--user", "65534"], &[&text(&program)])?;
    assert_eq!(done.stderr, "65534\n");
    Seen::parse(&done)?.is(&program, &["executed"])
}

fn what_is_written_is_forgotten(t: &Test) -> Outcome {
    let before = fs::read("/etc/shadow")?;
    let script = "echo mine >/etc/shadow && cat /etc/shadow; rm /bin/busybox /usr/bin/env; rm -rf /var/lib/dpkg; \
                  mv /etc/passwd /etc/moved; ln -sf /etc/shadow /etc/hostname; chmod 777 /etc/group; ls /usr/bin/env";
    let done = run(t, &[], &["sh", "-c", script])?;
    assert!(done.stderr.starts_with("mine\n") && done.stderr.contains("env': No such file"), "{done}");
    let seen = Seen::parse(&done)?;
    seen.is("/etc/shadow", &["read", "written"])?;
    seen.is("/usr/bin/env", &["made"])?;
    assert_eq!(fs::read("/etc/shadow")?, before);
    assert!(fs::exists("/usr/bin/env")? && fs::exists("/var/lib/dpkg/status")? && !fs::exists("/etc/moved")?);
    Ok(())
}

fn the_disk_cannot_be_filled(t: &Test) -> Outcome {
    let script = "head -c 64G /dev/zero >/var/filler; stat -c %s /var/filler; \
                  i=0; while mkdir /var/d$i 2>/dev/null && [ $i -lt 100 ]; do i=$((i+1)); done";
    let done = run(t, &[], &["sh", "-c", script])?;
    assert!(done.stderr.contains("No space left on device"), "{done}");
    let size = done.stderr.lines().find_map(|line| line.parse::<u64>().ok()).ok_or("no size")?;
    assert!(size > 1 << 24 && size <= 1 << 30, "{size}");
    assert!(!fs::exists("/var/filler")?);
    Seen::parse(&done).map(drop)
}

fn it_cannot_fork_without_end(t: &Test) -> Outcome {
    let script = "bomb() { bomb | bomb & }; bomb; sleep 1000";
    let jaula = t.jaula().within(Duration::from_secs(120));
    let done = jaula.run(&["trace", "--json", "--for", "2s", "sh", "-c", script])?;
    assert!(done.stderr.contains("Cannot fork") || done.stderr.contains("Resource"), "{done}");
    Seen::parse(&done)?.is("/bin/sh", &[]).err().ok_or("the shell is /usr/bin/sh")?;
    Ok(())
}

/// As root inside, with the capabilities that a traced program has beyond those of its profile: the
/// answers are those of an app jail, but that it may change its root, which leads nowhere.
fn no_probe_escapes(t: &Test) -> Outcome {
    let outside = Outside::put(t)?;
    let place = t.root().join("probe");
    fs::copy(probe()?, &place)?;
    let mut program = vec![text(&place), "all".to_owned()];
    program.extend(outside.options());
    // The host's files are there, but for those that the jail has of its own.
    let marker = Marker(format!("/dev/shm/{}", t.name("marker")).into());
    let known = program.iter().position(|word| word.ends_with("/marker")).ok_or("no marker")?;
    fs::copy(&program[known], &marker.0)?;
    program[known] = text(&marker.0);
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    for user in ["0", "1000"] {
        let done = t
            .jaula()
            .within(Duration::from_secs(300))
            .run(&[&["trace", "--json", "--user", user], &program[..]].concat())?;
        Seen::parse(&done)?;
        let faults = crate::escapes::faults("app", "none", &done.stderr)?;
        let known = |fault: &&&str| {
            (fault.starts_with("chroot") || fault.starts_with("dotdot")) && fault.contains("harmless")
        };
        let wrong: Vec<_> = faults.iter().filter(|fault| !known(fault)).collect();
        assert!(wrong.is_empty(), "{user}: {wrong:#?}");
    }
    Ok(())
}

struct Marker(PathBuf);

impl Drop for Marker {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// Nothing may run, and `gc` must leave nothing.
fn gone(t: &Test, done: &Done) -> Outcome {
    if done.stderr.contains("panicked") {
        return Err(done.to_string().into());
    }
    crate::interrupted::clean_after_gc(t)
}

fn cut_short_at_any_call(t: &Test) -> Outcome {
    // Reading the lists of packages takes thousands of calls, all alike.
    let program = ["trace", "--json", "sh", "-c", "cat /etc/hostname; true & wait"];
    let survived =
        fault_at_calls(23, || Ok((Victim::Main, t.jaula().command(program)?)), |done| gone(t, done))?;
    assert!(survived.kills > 200, "{survived:?}");
    Ok(())
}

/// On its way to its program, and the program itself.
fn its_first_process_is_killed(t: &Test) -> Outcome {
    let program = ["trace", "--json", "sh", "-c", "cat /etc/hostname; true & wait"];
    let survived =
        fault_at_calls(5, || Ok((Victim::Children, t.jaula().command(program)?)), |done| gone(t, done))?;
    assert!(survived.kills > 60, "{survived:?}");
    Ok(())
}
