//! `jaula bind`: when its control group goes, and what one within another is.

use super::{GoingOn, Net, Programs, on_both};
use crate::ground::one_clear_line;
use jaula_tests::harness::{Jaula, Outcome, Test, command};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What commands have left in the run directory, and their groups.
fn left(t: &Test) -> usize {
    let entries = std::fs::read_dir(t.root().join("run/jaula")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("bind-")).count()
}

/// A command that goes on, its number, and its group.
fn sleeping(net: &Net<'_>) -> Outcome<(GoingOn, String, PathBuf)> {
    let jaula = Jaula::binary()?.canonicalize()?;
    let jaula = jaula.to_str().ok_or("a path of bytes")?;
    let script = "findmnt --noheadings --first-only --output TARGET --types cgroup2\n\
                  sed -n s/^0:://p /proc/self/cgroup; echo pid $$; exec sleep 1000";
    let going = net.going_on(&[jaula, "bind", "--ip", "192.0.2.10", "--", "sh", "-c", script], "pid")?;
    let lines: Vec<&str> = going.said.lines().collect();
    let [mount, path, pid] = lines[..] else { return Err(format!("{lines:?}").into()) };
    let group = PathBuf::from(format!("{mount}{path}"));
    let pid = pid.trim_start_matches("pid ").to_owned();
    assert!(group.is_dir() && path.contains("bind-"), "{}", group.display());
    Ok((going, pid, group))
}

fn killed(pid: &str) -> Outcome {
    command(&["kill", "-9", pid])?.ok()?;
    Ok(())
}

/// Until nobody is in the group.
fn emptied(group: &std::path::Path) {
    let until = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(group.join("cgroup.events")).is_ok_and(|said| said.contains("populated 1"))
    {
        assert!(Instant::now() < until, "{} is still used", group.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn a_group_goes_with_the_last_of_its_command(t: &Test) -> Outcome {
    let net = Net::with(t, Programs::Shared)?;
    // The first one since the machine began leaves nothing.
    assert!(net.jaula(&["bind", "true"])?.status.success() && left(t) == 0);
    // What ends a moment later than the command; on a busy machine that may be longer than it is waited for.
    let is_gone = || -> Outcome<bool> {
        let script = "sleep 0.02 >/dev/null 2>&1 </dev/null &";
        let done = net.jaula(&["bind", "--ip", "192.0.2.10", "--", "sh", "-c", script])?;
        assert!(done.status.success(), "{done:?}");
        Ok(left(t) == 0)
    };
    let mut tries = 0;
    while !is_gone()? {
        tries += 1;
        assert!(tries < 20, "{} are left", left(t));
    }
    assert_eq!(left(t), 0);

    // The command is killed.
    let (mut going, pid, group) = sleeping(&net)?;
    killed(&pid)?;
    assert_eq!(going.child.wait()?.code(), Some(137));
    assert!(left(t) == 0 && !group.exists());

    // jaula is killed: the command goes on, and nobody ends it.
    let (mut going, pid, group) = sleeping(&net)?;
    killed(&going.child.id().to_string())?;
    going.child.wait()?;
    assert!(net.jaula(&["gc"])?.status.success());
    assert!(net.jaula(&["bind", "true"])?.status.success());
    assert!(group.is_dir() && left(t) == 1);
    killed(&pid)?;
    emptied(&group);
    // The next one takes what it has left along.
    assert!(net.jaula(&["bind", "true"])?.status.success());
    assert!(left(t) == 0 && !group.exists());

    // Both are.
    let (mut going, pid, group) = sleeping(&net)?;
    killed(&going.child.id().to_string())?;
    killed(&pid)?;
    going.child.wait()?;
    emptied(&group);
    let swept = net.jaula(&["gc"])?;
    assert!(swept.stdout.contains("bind-") && left(t) == 0 && !group.exists(), "{swept:?}");
    Ok(())
}

/// Tries addresses, and its own loopback with a service on "any".
const WITHIN: &str = "import errno, socket\n\
    for a in '0.0.0.0', '192.0.2.10', '192.0.2.11', '127.0.0.1':\n \
     s = socket.socket()\n \
     try: s.bind((a, 0)); print(a, s.getsockname()[0])\n \
     except OSError as e: print(a, errno.errorcode[e.errno])\n\
    def service(address):\n \
     s = socket.create_server((address, 0))\n \
     c = socket.create_connection(('127.0.0.1', s.getsockname()[1]), 5)\n \
     return c.getpeername()[0]\n\
    try: print(service('0.0.0.0'))\n\
    except OSError as e: print(errno.errorcode[e.errno])\n";

/// A group below one of the same kind: what both allow.
pub(super) fn one_within_another_has_what_both_have(t: &Test) -> Outcome {
    on_both(t, |net| {
        let jaula = Jaula::binary()?.canonicalize()?;
        let jaula = jaula.to_str().ok_or("a path of bytes")?;
        // Within its view of control groups, the inner one's is below the outer one's.
        let script = "at=$(findmnt --noheadings --first-only --output TARGET --types cgroup2)\n\
                      mount -t cgroup2 cgroup2 /mnt && mount --move /mnt $at\n\
                      $1 bind --ip 192.0.2.11 -- sh -c 'cat /proc/self/cgroup; exec python3 -c \"$1\"' sh \"$2\"\n\
                      echo outer; exec python3 -c \"$2\"";
        let within = |outer: &[&str]| -> Outcome<String> {
            let before = ["bind"];
            let words = ["--", "unshare", "--cgroup", "--mount", "sh", "-c", script, "sh", jaula, WITHIN];
            let done = net.jaula(&[&before, outer, &words].concat())?;
            assert!(done.status.success(), "{done:?}");
            let (group, said) = done.stdout.split_once("\n0.0.0.0").ok_or("no group")?;
            assert!(group.lines().any(|line| line.starts_with("0::/jaula.")), "{group}");
            Ok(format!("0.0.0.0{said}"))
        };
        assert_eq!(
            within(&["--ip", "192.0.2.10", "--ip", "192.0.2.11"])?,
            "0.0.0.0 192.0.2.11\n192.0.2.10 EADDRNOTAVAIL\n192.0.2.11 192.0.2.11\n127.0.0.1 EADDRNOTAVAIL\n\
             192.0.2.11\nouter\n\
             0.0.0.0 192.0.2.10\n192.0.2.10 192.0.2.10\n192.0.2.11 192.0.2.11\n127.0.0.1 127.0.0.1\n192.0.2.10\n"
        );
        // What the outer one has not, is not to be had.
        let words = ["bind", "--ip", "192.0.2.10", "--", jaula, "bind", "--ip", "192.0.2.11", "true"];
        one_clear_line(&net.jaula(&words)?, 125, &["this host does not have 192.0.2.11"])
    })
}
