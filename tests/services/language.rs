//! Servers of one's own: Python with a virtual environment, Node.js, Java.

use super::{Service, answers, up};
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [java, node, python_with_a_virtual_environment])
}

const WWW_DATA: u32 = 33;
const NOBODY: u32 = 65534;

/// A wheel that pip installs into the environment.
const WHEEL: &str = "import zipfile
with zipfile.ZipFile('/tmp/guest-1.0-py3-none-any.whl', 'w') as z:
    z.writestr('guest.py', 'greeting = \"hello\"')
    z.writestr('guest-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: guest\\nVersion: 1.0\\n')
    z.writestr('guest-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('guest-1.0.dist-info/RECORD', '')";

fn python_with_a_virtual_environment(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell("cd /srv/examples/python; python3 -m venv venv")?;
    machine.run(&["python3", "-c", WHEEL])?.ok()?;
    machine
        .shell("/srv/examples/python/venv/bin/pip install -q --no-index /tmp/guest-1.0-py3-none-any.whl")?;
    up(&machine, "python")?;
    let hello = Service::of(t, &machine, "hello");
    hello.is_held(WWW_DATA, 0)?;
    let ask = "curl -sS http://127.0.0.1:8000/";
    assert_eq!(machine.shell(ask)?, "visit 1\nin /srv/hello/venv\nwith guest pip\n");
    // The environment is only read, and the host's modules are not there.
    let write = "import sys\ntry: open(sys.prefix + '/x', 'w')\nexcept OSError as e: print(e.strerror)";
    let python = "/srv/hello/venv/bin/python";
    assert_eq!(hello.jaula("exec", &[python, "-c", write])?, "Read-only file system\n");
    assert_eq!(hello.jaula("exec", &[python, "-c", "import guest; print(guest.greeting)"])?, "hello\n");
    hello.jaula("restart", &[])?;
    assert!(machine.shell(ask)?.starts_with("visit 2\n"));
    hello.jail.says("\"GET / HTTP/1.1\" 200")?;
    hello.stops()
}

fn node(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "node")?;
    let time = Service::of(t, &machine, "time");
    time.is_held(WWW_DATA, 0)?;
    let answer = machine.shell("curl -sS http://127.0.0.1:3000/here")?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    assert_eq!(
        (&answer["path"], &answer["username"], &answer["hostname"]),
        (&"/here".into(), &"www-data".into(), &"time".into())
    );
    time.jail.says("listening")?;
    time.stops()
}

fn java(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "java")?;
    let echo = Service::of(t, &machine, "echo");
    echo.is_held(NOBODY, 0)?;
    answers(
        &machine,
        "head -c 100000 /dev/zero | tr '\\0' x | curl -sS --data-binary @- http://127.0.0.1:8081/ | wc -c",
        "\n100000\n",
    )
    .or_else(|_| answers(&machine, "curl -sS -d hello http://127.0.0.1:8081/", "hello"))?;
    echo.jail.says("listening")?;
    echo.jaula("stop", &[])?;
    // A virtual machine that is told to end says so by its status, when its hooks are done.
    assert_eq!(echo.jail.last()?["status"], 143);
    Ok(())
}
