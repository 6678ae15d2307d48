//! What every machine has: a log and a clock that starts things.

use super::{Service, up};
use crate::declared::runs;
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [cron, rsyslog])
}

fn rsyslog(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell("ln -s /srv/examples/rsyslog/run/log /dev/log")?;
    up(&machine, "rsyslog")?;
    let log = Service::of(t, &machine, "log");
    log.is_held(0, 0)?;
    machine.shell("logger --socket-errors=on by the socket; logger -p authpriv.info secret; logger -n 127.0.0.1 -P 514 -d by the network")?;
    log.logs("/var/log/rsyslog", "syslog", "by the socket")?;
    log.logs("/var/log/rsyslog", "syslog", "by the network")?;
    log.logs("/var/log/rsyslog", "auth.log", "secret")?;
    assert!(!fs::read_to_string(log.kept("/var/log/rsyslog", "syslog"))?.contains("secret"));

    // Rotated, as logrotate does.
    fs::rename(log.kept("/var/log/rsyslog", "syslog"), log.kept("/var/log/rsyslog", "syslog.1"))?;
    log.jaula("signal", &["HUP"])?;
    super::answers(
        &machine,
        "logger after the rotation; grep -h rotation $JAULA_ROOT/var/lib/jaula/jails/log/writable/*/syslog",
        "after",
    )?;
    log.stops()?;
    log.jaula("start", &[])?;
    machine.shell("logger after the restart")?;
    log.logs("/var/log/rsyslog", "syslog", "after the restart")?;
    assert!(fs::read_to_string(log.kept("/var/log/rsyslog", "syslog"))?.contains("after the rotation"));
    log.stops()
}

/// cron looks at its tables once a minute.
fn cron(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "cron")?;
    let jobs = Service::of(t, &machine, "jobs");
    let times = jobs.kept("/var/lib/jobs", "times");
    let deadline = Instant::now() + Duration::from_secs(75);
    while !fs::read_to_string(&times).is_ok_and(|times| times.contains("UTC")) {
        assert!(Instant::now() < deadline, "no job in over a minute: {}", jobs.jail.log());
        thread::sleep(Duration::from_millis(200));
    }
    // By the user that the table names; cron itself goes on.
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(&times)?), 65534);
    let keeper = jobs.jail.processes()?;
    assert!(keeper.iter().all(|pid| runs(*pid)));
    // cron leaves the signal to the kernel, which spares first processes: jaula ends it.
    jobs.jaula("stop", &[])?;
    assert_eq!(jobs.jail.last()?["stopped"], true);
    Ok(())
}
