//! Jails that start and stop with the host: in their order, and whatever one of them does.

use crate::declared::{Declared, nothing_left, runs};
use jaula_tests::harness::{Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("bootorder": privileged [
        a_jail_starts_when_what_it_depends_on_is_ready,
        low_numbers_stand_first,
        only_those_that_start_with_the_host_do,
        a_boot_can_be_repeated,
        one_that_hangs_holds_up_only_its_dependents,
        the_time_for_all_has_an_end,
        circles_and_strangers_are_named_and_the_others_start,
        a_start_starts_what_it_depends_on,
        a_shutdown_goes_backwards,
        a_shutdown_has_an_end,
        a_stop_of_several_goes_backwards,
        what_a_crash_of_the_host_left_is_no_hindrance,
        a_service_manager_is_told_whom_to_watch,
    ])
}

/// A jail that is ready some milliseconds after its start. `boot` is put into `[boot]`.
fn jail<'t>(t: &'t Test, word: &str, ready: u32, boot: &str) -> Outcome<Declared<'t>> {
    let script = format!("usleep {}; touch /tmp/up; exec sleep 1000", ready * 1000);
    let boot = format!("ready = [\"/bin/test\", \"-e\", \"/tmp/up\"]\n{boot}");
    Declared::shell(t, word, &script, &boot)
}

const AUTO: &str = "autostart = true\n";

fn depends(t: &Test, words: &[&str]) -> String {
    let names: Vec<String> = words.iter().map(|word| format!("{:?}", t.name(word))).collect();
    format!("depends = [{}]\n", names.join(", "))
}

/// When it started, in milliseconds.
fn started(jail: &Declared<'_>) -> Outcome<u64> {
    let state = jail.state().ok_or_else(|| format!("{} does not run", jail.name))?;
    Ok(state["started"].as_u64().ok_or("no time")?)
}

/// When it ended.
fn ended(jail: &Declared<'_>) -> Outcome<u64> {
    Ok(jail.last()?["at"].as_u64().ok_or("no time")?)
}

/// Ends what still runs, at once.
fn clear(t: &Test) -> Outcome {
    t.jaula().ok(&["stop", "--all", "--timeout", "0"])?;
    nothing_left(t)
}

/// What `boot --json` or `shutdown --json` say of a jail.
fn result(lines: &Value, jail: &Declared<'_>) -> String {
    let lines = lines.as_array().cloned().unwrap_or_default();
    let line = lines.into_iter().find(|line| line["name"] == jail.name.as_str());
    line.and_then(|line| Some(line["result"].as_str()?.to_owned())).unwrap_or_default()
}

fn a_jail_starts_when_what_it_depends_on_is_ready(t: &Test) -> Outcome {
    let db = jail(t, "db", 400, "")?;
    let cache = jail(t, "cache", 0, "")?;
    let www = jail(t, "www", 0, &(AUTO.to_owned() + &depends(t, &["db", "cache"])))?;
    let alone = jail(t, "alone", 0, AUTO)?;
    t.jaula().ok(&["boot"])?;
    assert!(started(&www)? >= started(&db)? + 400, "{} {}", started(&www)?, started(&db)?);
    assert!(started(&alone)? < started(&db)? + 400, "it need not wait for anybody");
    for jail in [&db, &cache, &www, &alone] {
        assert_eq!(jail.phase().as_deref(), Some("running"));
    }
    clear(t)
}

fn low_numbers_stand_first(t: &Test) -> Outcome {
    let last = jail(t, "a", 0, AUTO)?;
    let second = jail(t, "b", 200, &format!("{AUTO}order = 2"))?;
    let first =
        [jail(t, "c", 200, &format!("{AUTO}order = 1"))?, jail(t, "d", 200, &format!("{AUTO}order = 1"))?];
    let printed = t.jaula().ok(&["boot", "--dry-run"])?;
    let names: Vec<&str> = printed.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(names, [&first[0].name, &first[1].name, &second.name, &last.name]);
    nothing_left(t)?;
    t.jaula().ok(&["boot"])?;
    let times = [started(&first[0])?, started(&first[1])?, started(&second)?, started(&last)?];
    assert!(times[0].abs_diff(times[1]) < 200, "together: {times:?}");
    assert!(times[2] >= times[0].max(times[1]) + 200 && times[3] >= times[2] + 200, "{times:?}");
    clear(t)
}

fn only_those_that_start_with_the_host_do(t: &Test) -> Outcome {
    let no = jail(t, "no", 0, "")?;
    let yes = jail(t, "yes", 0, "")?;
    t.jaula().ok(&["set", &yes.name, "boot.autostart=true"])?;
    let broken = Declared::named(t, "broken");
    broken.write_config("[boot]\nautostart = maybe\n")?;
    let done = t.jaula().run(&["boot", "--json"])?;
    assert_eq!(done.status.code(), Some(1), "{done}");
    let lines: Value = serde_json::from_str(&done.stdout)?;
    assert_eq!([&broken, &yes, &no].map(|jail| result(&lines, jail)), ["failed", "started", ""]);
    assert!(done.stderr.contains(&format!("{}.toml:2:", broken.name)), "{done}");
    assert!(no.state().is_none() && yes.state().is_some());
    clear(t)
}

fn a_boot_can_be_repeated(t: &Test) -> Outcome {
    let db = jail(t, "db", 0, "")?;
    let www = jail(t, "www", 0, &(AUTO.to_owned() + &depends(t, &["db"])))?;
    assert_eq!(t.jaula().ok(&["boot"])?, format!("{}: started\n{}: started\n", db.name, www.name));
    let before = (db.state(), www.state());
    let again = t.jaula().ok(&["boot"])?;
    assert_eq!(again, format!("{}: runs already\n{}: runs already\n", db.name, www.name));
    assert_eq!((db.state(), www.state()), before);
    t.jaula().ok(&["shutdown"])?;
    assert_eq!(t.jaula().ok(&["shutdown"])?, "");
    assert_eq!(t.jaula().ok(&["boot", "--quiet"])?, "");
    clear(t)
}

fn one_that_hangs_holds_up_only_its_dependents(t: &Test) -> Outcome {
    // More than start at a time, and each stands before the others.
    let hang = "ready = [\"/bin/false\"]\nstart_timeout = \"8s\"\norder = 1\n";
    for n in 0..9 {
        Declared::command(t, &format!("h{n}"), &["/bin/sleep", "1000"], &(AUTO.to_owned() + hang))?;
    }
    let behind = jail(t, "behind", 0, &(AUTO.to_owned() + &depends(t, &["h0"])))?;
    let top = jail(t, "top", 0, &(AUTO.to_owned() + &depends(t, &["behind"])))?;
    let free = jail(t, "free", 0, AUTO)?;
    let since = Instant::now();
    let done = t.jaula().run(&["boot", "--json"])?;
    assert_eq!(done.status.code(), Some(1), "{done}");
    assert!(since.elapsed() < Duration::from_secs(16), "{:?}", since.elapsed());
    let lines: Value = serde_json::from_str(&done.stdout)?;
    assert_eq!([&behind, &top, &free].map(|jail| result(&lines, jail)), ["skipped", "skipped", "started"]);
    let why =
        |jail: &Declared<'_>, on: &str| format!("jail {:?} was not started: it depends on {on:?}", jail.name);
    assert!(done.stderr.contains(&why(&behind, &t.name("h0"))), "{done}");
    assert!(done.stderr.contains(&why(&top, &behind.name)), "{done}");
    let told = lines.as_array().ok_or("no list")?;
    let place = |jail: &Declared<'_>| told.iter().position(|line| line["name"] == jail.name.as_str());
    let hung = told.iter().position(|line| line["result"] == "failed");
    assert!(place(&free) < hung, "it waited for those that hang: {lines}");
    clear(t)
}

fn the_time_for_all_has_an_end(t: &Test) -> Outcome {
    let slow = jail(t, "slow", 3000, AUTO)?;
    let behind = jail(t, "behind", 0, &(AUTO.to_owned() + &depends(t, &["slow"])))?;
    let since = Instant::now();
    let done = t.jaula().run(&["boot", "--json", "--timeout", "500ms"])?;
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let lines: Value = serde_json::from_str(&done.stdout)?;
    assert_eq!([&slow, &behind].map(|jail| result(&lines, jail)), ["late", "late"]);
    assert_eq!(done.status.code(), Some(1));
    // Its keeper goes on, and who comes then waits for the same start.
    assert_eq!(slow.phase().as_deref(), Some("starting"));
    t.jaula().ok(&["boot"])?;
    assert_eq!([&slow, &behind].map(Declared::phase), [Some("running".into()), Some("running".into())]);
    assert!(started(&behind)? >= started(&slow)? + 3000);
    clear(t)
}

fn circles_and_strangers_are_named_and_the_others_start(t: &Test) -> Outcome {
    let a = jail(t, "a", 0, &(AUTO.to_owned() + &depends(t, &["b"])))?;
    let b = jail(t, "b", 0, &depends(t, &["c"]))?;
    jail(t, "c", 0, &depends(t, &["b"]))?;
    let lost = jail(t, "lost", 0, &(AUTO.to_owned() + &depends(t, &["gone"])))?;
    let good = jail(t, "good", 0, AUTO)?;
    for dry in [true, false] {
        let done = t.jaula().run(if dry { &["boot", "--dry-run"] } else { &["boot"] })?;
        assert_eq!(done.status.code(), Some(1), "{done}");
        let circle = format!("in a circle: {:?} → {:?} → {:?}", b.name, t.name("c"), b.name);
        assert_eq!(done.stderr.matches(&circle).count(), 1, "{done}");
        let unknown =
            format!("jail {:?} depends on {:?}, and there is no such jail", lost.name, t.name("gone"));
        assert!(done.stderr.contains(&unknown), "{done}");
        assert!(done.stdout.contains(&good.name) && !done.stdout.contains(&a.name), "{done}");
    }
    assert!(good.state().is_some() && a.state().is_none() && lost.state().is_none());
    let said = t.jaula().fails(&["start", &b.name])?;
    assert!(said.contains("in a circle") && said.contains("help: one of them must be first"), "{said}");
    clear(t)
}

fn a_start_starts_what_it_depends_on(t: &Test) -> Outcome {
    let db = jail(t, "db", 300, "")?;
    let www = jail(t, "www", 0, &depends(t, &["db"]))?;
    www.start()?;
    assert!(started(&www)? >= started(&db)? + 300);
    clear(t)?;
    t.jaula().ok(&["set", &db.name, "boot.start_timeout=400ms", "boot.ready=[\"/bin/false\"]"])?;
    let done = www.jaula("start", &[])?;
    assert_eq!(done.status.code(), Some(1));
    let words = [format!("jail {:?} was not ready", db.name), format!("jail {:?} was not started", www.name)];
    assert!(words.iter().all(|word| done.stderr.contains(word)), "{done}");
    nothing_left(t)
}

/// A jail that takes its time to stop.
fn slow_to_stop<'t>(t: &'t Test, word: &str, boot: &str) -> Outcome<Declared<'t>> {
    let script = "trap 'usleep 400000; exit 0' TERM; touch /tmp/up; while :; do sleep 0.05; done";
    let boot = format!("ready = [\"/bin/test\", \"-e\", \"/tmp/up\"]\n{boot}");
    Declared::shell(t, word, script, &boot)
}

fn a_shutdown_goes_backwards(t: &Test) -> Outcome {
    let db = slow_to_stop(t, "db", "")?;
    let www = slow_to_stop(t, "www", &(AUTO.to_owned() + &depends(t, &["db"])))?;
    let late = slow_to_stop(t, "late", &format!("{AUTO}order = 9"))?;
    let early = slow_to_stop(t, "early", &format!("{AUTO}order = 3"))?;
    t.jaula().ok(&["boot"])?;
    let lines = t.jaula().json(&["shutdown", "--json"])?;
    assert_eq!([&db, &www, &late, &early].map(|jail| result(&lines, jail)), ["stopped"; 4]);
    assert!(ended(&db)? >= ended(&www)? + 400, "db stopped before www");
    assert!(ended(&early)? >= ended(&late)? + 400, "early stopped before late");
    assert_eq!(db.last()?["stopped"], true);
    nothing_left(t)
}

fn a_shutdown_has_an_end(t: &Test) -> Outcome {
    let deaf = "trap '' TERM; while :; do sleep 1; done";
    let jail = Declared::shell(t, "deaf", deaf, "stop_timeout = \"1h\"")?;
    jail.start()?;
    let since = Instant::now();
    t.jaula().ok(&["shutdown", "--timeout", "1s"])?;
    assert!((1..8).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    nothing_left(t)
}

fn a_stop_of_several_goes_backwards(t: &Test) -> Outcome {
    let db = slow_to_stop(t, "db", "")?;
    let www = slow_to_stop(t, "www", &depends(t, &["db"]))?;
    www.start()?;
    t.jaula().ok(&["stop", &db.name, &www.name])?;
    assert!(ended(&db)? >= ended(&www)? + 400, "db stopped before www");
    nothing_left(t)
}

/// On a disk, what running jails have outlives the machine's run: its numbers mean others by then.
fn what_a_crash_of_the_host_left_is_no_hindrance(t: &Test) -> Outcome {
    let www = jail(t, "www", 0, AUTO)?;
    t.jaula().ok(&["boot"])?;
    let file = fs::read(www.run().join("state"))?;
    t.jaula().ok(&["shutdown"])?;
    // The jail's first process and its keeper seem to run: some other process has both their numbers.
    let mut other = Command::new("sleep").arg("1000").spawn()?;
    let pid = rustix::process::Pid::from_child(&other);
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
    let inode = fs::metadata(format!("/proc/self/fd/{}", pidfd.as_raw_fd()))?;
    let inode = std::os::unix::fs::MetadataExt::ino(&inode);
    let end = file.iter().position(|byte| *byte == b'\n').ok_or("no line")?;
    let mut state: Value = serde_json::from_slice(&file[..end])?;
    let process = serde_json::json!({ "pid": other.id(), "inode": inode });
    (state["first"], state["keeper"]) = (process.clone(), process);
    fs::create_dir(www.run())?;
    fs::write(www.run().join("state"), [state.to_string().as_bytes(), &file[end..]].concat())?;
    let group = format!("/sys/fs/cgroup/jaula.{}", www.name);
    fs::write(www.run().join("journal"), format!("cgroup {group}\nprocess {} {inode}\n", other.id()))?;
    let said = t.jaula().run(&["boot"])?;
    let alive = runs(i32::try_from(other.id())?);
    other.kill()?;
    other.wait()?;
    assert!(alive, "a process of somebody else's was killed: {said}");
    assert_eq!(said.ok()?, format!("{}: started\n", www.name));
    clear(t)
}

/// As systemd starts one jail with `Type=notify`.
fn a_service_manager_is_told_whom_to_watch(t: &Test) -> Outcome {
    let www = jail(t, "www", 200, "")?;
    let at = t.root().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&at)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut command = t.jaula().command(["start", &www.name])?;
    assert!(command.env("NOTIFY_SOCKET", &at).status()?.success());
    let mut text = [0; 512];
    let length = socket.recv(&mut text)?;
    let text = String::from_utf8_lossy(&text[..length]).into_owned();
    assert!(text.starts_with(&format!("MAINPID={}\nREADY=1\n", www.keeper()?)), "{text}");
    fs::remove_file(&at)?;
    clear(t)
}
