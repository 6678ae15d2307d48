//! Jails know each other by name: `/etc/hosts` as they see it while others come and go.

use crate::bind::Net;
use jaula_tests::harness::{Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("names": privileged [
        jails_know_each_other_while_they_run,
        who_died_without_a_word_is_forgotten,
    ])
}

/// What a running jail finds under a name.
fn find(net: &Net<'_>, jail: &str, name: &str) -> Outcome<String> {
    // Without asking a name server.
    let done = net.jaula(&["exec", jail, "--", "getent", "-s", "files", "ahostsv4", name])?;
    let first = done.stdout.split_whitespace().next().unwrap_or("nobody").to_owned();
    assert_eq!(done.status.success(), first != "nobody", "{done:?}");
    Ok(first)
}

fn start(net: &Net<'_>, name: &str, options: &[&str]) -> Outcome {
    let made =
        net.jaula(&[&["create", name, "--root", "host"], options, &["--", "sleep", "1000"]].concat())?;
    assert!(made.status.success(), "{made:?}");
    let started = net.jaula(&["start", name])?;
    assert!(started.status.success(), "{started:?}");
    Ok(())
}

fn jails_know_each_other_while_they_run(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    start(&net, "one", &["--ip", "192.0.2.10"])?;
    assert_eq!(find(&net, "one", "one")?, "192.0.2.10");
    assert_eq!(find(&net, "one", "two")?, "nobody");

    start(&net, "two", &["--ip", "192.0.2.11", "--set", "hostname=web.example.test"])?;
    start(&net, "plain", &["--network", "host"])?;
    for jail in ["one", "two", "plain"] {
        assert_eq!(find(&net, jail, "one")?, "192.0.2.10", "{jail}");
        for name in ["two", "web.example.test", "web"] {
            assert_eq!(find(&net, jail, name)?, "192.0.2.11", "{jail} {name}");
        }
        // The host's own names stay.
        assert!(find(&net, jail, "localhost")?.starts_with("127."), "{jail}");
    }
    let done = net.jaula(&["exec", "one", "--", "sh", "-c", "echo 192.0.2.99 two >>/etc/hosts"])?;
    assert!(!done.status.success(), "a jail wrote to the list: {done:?}");

    let stopped = net.jaula(&["stop", "two"])?;
    assert!(stopped.status.success(), "{stopped:?}");
    assert_eq!(find(&net, "plain", "web")?, "nobody");
    assert_eq!(find(&net, "plain", "one")?, "192.0.2.10");
    let stopped = net.jaula(&["stop", "one", "plain"])?;
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(!t.root().join("run/jaula/.hosts").exists(), "the last one takes the list along");
    Ok(())
}

fn who_died_without_a_word_is_forgotten(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    start(&net, "stays", &["--network", "host"])?;
    start(&net, "dies", &["--ip", "192.0.2.10"])?;
    assert_eq!(find(&net, "stays", "dies")?, "192.0.2.10");
    let state = std::fs::read(t.root().join("run/jaula/dies/state"))?;
    // The filter stands behind it.
    let state = serde_json::Deserializer::from_slice(&state)
        .into_iter::<serde_json::Value>()
        .next()
        .ok_or("no state")??;
    for who in ["keeper", "first"] {
        let pid = state[who]["pid"].as_i64().ok_or("no number")?;
        std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
    }
    while find(&net, "stays", "dies")? != "nobody" {
        net.jaula(&["gc"])?;
    }
    let stopped = net.jaula(&["stop", "stays"])?;
    assert!(stopped.status.success(), "{stopped:?}");
    Ok(())
}
