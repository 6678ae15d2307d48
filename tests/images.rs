//! Container images become jails: from a layout, an archive and a registry, which may want to know who asks.

use crate::declared::until;
use crate::ground::one_clear_line;
use jaula_tests::harness::{Done, Outcome, SmallDisk, Test, busybox_root, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("images": privileged [
        an_image_becomes_a_jail,
        a_registry_wants_to_know_who_asks,
        a_damaged_image_leaves_nothing,
        a_pull_that_stalls_ends_when_told_to,
        what_a_killed_pull_leaves_gc_removes,
        more_than_the_disk_holds_is_one_line,
    ])
}

/// The image of `images.sh`.
fn image(t: &Test) -> Outcome<PathBuf> {
    let place = t.root().join("made");
    fs::create_dir(&place)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("images.sh");
    let words = [script.as_path(), &place, &busybox_root()?].map(|path| path.to_string_lossy().into_owned());
    command(&[&["sh"][..], &words.each_ref().map(String::as_str)].concat())?.ok()?;
    Ok(place)
}

/// Whom a registry gives its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Nobody,
    /// `user:word` by a password.
    Password,
    /// The same for a token.
    Token,
    /// Everybody, but layers never come.
    Stalls,
    /// Everybody, and never says a word.
    Mute,
}

/// A registry on loopback with the image as `app:1`; it ends when it is asked for `/quit`.
struct Registry(u16);

impl Registry {
    fn serve(image: &Path, asks: Asks) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let image = image.to_owned();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                match answer(&stream, port, &image, asks) {
                    Some(true) => {}
                    Some(false) => held.push(stream),
                    None => break,
                }
            }
        });
        Ok(Self(port))
    }

    fn image(&self) -> String {
        format!("oci:127.0.0.1:{}/app:1", self.0)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.0)) {
            _ = stream.write_all(b"GET /quit HTTP/1.1\r\n\r\n");
        }
    }
}

/// One question; `None` ends it, and `false` leaves it open.
fn answer(mut stream: &TcpStream, port: u16, image: &Path, asks: Asks) -> Option<bool> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let is = |wanted: &str| {
        headers.iter().any(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_default();
            name.eq_ignore_ascii_case("authorization") && value == wanted
        })
    };
    if path == "/quit" {
        return None;
    }
    // user:word
    let knows = is("Basic dXNlcjp3b3Jk");
    if asks == Asks::Mute {
        return Some(false);
    }
    let may = match asks {
        Asks::Nobody | Asks::Stalls | Asks::Mute => true,
        Asks::Password => knows,
        Asks::Token => is("Bearer of-the-test"),
    };
    let blobs = image.join("image/blobs/sha256");
    let body = if path.starts_with("/token?") && knows {
        Some(br#"{"token": "of-the-test"}"#.to_vec())
    } else if !may {
        let challenge = match asks {
            Asks::Token => format!("Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"here\""),
            _ => "Basic realm=\"here\"".to_owned(),
        };
        let head = format!(
            "HTTP/1.1 401 no\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        _ = stream.write_all(head.as_bytes());
        return Some(true);
    } else if path == "/v2/app/manifests/1" {
        fs::read(image.join("manifest")).ok()
    } else {
        let digest = path.rsplit_once("sha256:").map_or("", |(_, digest)| digest);
        fs::read(blobs.join(digest)).ok()
    };
    if asks == Asks::Stalls && body.as_ref().is_some_and(|body| body.starts_with(&[0x1f, 0x8b])) {
        _ = stream.write_all(b"HTTP/1.1 200 ok\r\nContent-Length: 1000000\r\n\r\n\x1f\x8b");
        return Some(false);
    }
    let (status, body) = body.map_or(("404 none", Vec::new()), |body| ("200 ok", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    Some(true)
}

/// What there is of jails and templates.
fn all(t: &Test) -> Vec<String> {
    let of = |directory: &str| {
        let entries = fs::read_dir(t.root().join("var/lib/jaula").join(directory)).into_iter().flatten();
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut found = [of("jails"), of("templates")].concat();
    found.retain(|name| name != ".snapshots");
    found
}

/// Command, environment, user, directory and files are those that the image says.
fn an_image_becomes_a_jail(t: &Test) -> Outcome {
    let made = image(t)?;
    let registry = Registry::serve(&made, Asks::Nobody)?;
    let (layout, saved) = (made.join("image"), made.join("saved.tar"));
    for (word, from) in [
        ("layout", format!("oci:{}:1", layout.display())),
        ("saved", format!("oci:{}", saved.display())),
        ("pulled", registry.image()),
    ] {
        let name = t.name(word);
        t.jaula().ok(&["build", &name, "--quiet", "--from", &from, "--start"])?;
        let config = fs::read_to_string(t.root().join(format!("etc/jaula/jails/{name}.toml")))?;
        assert!(config.contains("init = \"command\""), "{config}");
        crate::declared::until("its command", || {
            t.jaula().exec(&name, &["cat", "/tmp/up"]).ok().filter(|said| !said.is_empty())
        })?;
        let script = "cat /tmp/up; stat -c %U /proc/1 /tmp/up; readlink /proc/1/cwd; tr '\\0' ' ' </proc/1/cmdline; echo; \
                      cat /etc/said; ls /etc/removed 2>/dev/null || echo gone; ls -A /gone";
        let said = t.jaula().exec(&name, &["sh", "-c", script])?;
        assert_eq!(said, "of the image\nalice\nalice\n/work\nsleep 1000 \nupper\ngone\nnew\n", "{word}");
        t.jaula().ok(&["stop", &name])?;
        t.jaula().ok(&["delete", &name, "--yes"])?;
        t.jaula().ok(&["template", "delete", &name, "--yes"])?;
    }
    Ok(())
}

fn a_registry_wants_to_know_who_asks(t: &Test) -> Outcome {
    let made = image(t)?;
    for (word, asks) in [("password", Asks::Password), ("token", Asks::Token)] {
        let registry = Registry::serve(&made, asks)?;
        let name = t.name(word);
        let words = ["build", &name, "--quiet", "--from", &registry.image()];
        let logins = t.root().join("auth.json");
        let asking = |login: &str| -> Outcome<Done> {
            let text = format!("{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \"{login}\"}}}}}}", registry.0);
            fs::write(&logins, text)?;
            let mut command = t.jaula().command(words)?;
            let done = command.env("REGISTRY_AUTH_FILE", &logins).stdin(Stdio::null()).output()?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (stdout, stderr) = (text(&done.stdout), text(&done.stderr));
            Ok(Done { command: words.join(" "), status: done.status, stdout, stderr })
        };
        for wrong in ["", "dXNlcjp3cm9uZw=="] {
            one_clear_line(&asking(wrong)?, 1, &["answers 401"])?;
            assert_eq!(all(t), Vec::<String>::new(), "{asks:?}");
        }
        asking("dXNlcjp3b3Jk")?.ok()?;
        t.jaula().ok(&["delete", &name, "--yes"])?;
        t.jaula().ok(&["template", "delete", &name, "--yes"])?;
    }
    Ok(())
}

fn a_damaged_image_leaves_nothing(t: &Test) -> Outcome {
    let made = image(t)?;
    let from = format!("oci:{}", made.join("image").display());
    let none = format!("oci:{}:none", made.join("image").display());
    let name = t.name("bad");
    let build = |from: &str| t.jaula().run(&["build", &name, "--quiet", "--from", from]);
    one_clear_line(&build(&none)?, 1, &["there is no image \"none\" in it"])?;
    one_clear_line(&build(&format!("oci:{}", made.display()))?, 1, &["is no image"])?;
    one_clear_line(&build("oci:127.0.0.1:9/app:1")?, 1, &["cannot be reached"])?;
    one_clear_line(&build("oci:app:1")?, 1, &["does not name a registry"])?;
    let upper = command(&[
        "sh",
        "-c",
        &format!("cd {}; echo image/blobs/sha256/$(sha256sum <upper.tar.gz | cut -c1-64)", made.display()),
    ])?
    .ok()?;
    let blob = made.join(upper.trim());
    let whole = fs::read(&blob)?;
    fs::copy(made.join("lower.tar.gz"), &blob)?;
    one_clear_line(&build(&from)?, 1, &["its digest is sha256:"])?;
    fs::write(&blob, &whole[..whole.len() / 2])?;
    let cut = build(&from)?;
    assert!(cut.status.code() == Some(1) && cut.stderr.contains("cut short"), "{cut}");
    fs::remove_file(&blob)?;
    one_clear_line(&build(&from)?, 1, &["it lacks its part sha256:"])?;
    assert_eq!(all(t), Vec::<String>::new());
    Ok(())
}

fn what_a_killed_pull_leaves_gc_removes(t: &Test) -> Outcome {
    let made = image(t)?;
    let registry = Registry::serve(&made, Asks::Stalls)?;
    let mut pull = pulling(t, &registry)?;
    command(&["kill", "-KILL", &pull.id().to_string()])?.ok()?;
    pull.wait()?;
    t.jaula().ok(&["gc"])?;
    assert_eq!(all(t), Vec::<String>::new());
    Ok(())
}

/// A pull that has begun.
fn pulling(t: &Test, registry: &Registry) -> Outcome<Child> {
    let mut pull = t.jaula().command(["build", "--quiet", &t.name("cut"), "--from", &registry.image()])?;
    let pull = pull.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    until("half of it", || all(t).iter().any(|name| name.starts_with(".new.")).then_some(()))?;
    std::thread::sleep(Duration::from_millis(100));
    Ok(pull)
}

/// The registry never answers, or a layer stops coming: whoever waits for it may end it, and nothing is left.
fn a_pull_that_stalls_ends_when_told_to(t: &Test) -> Outcome {
    let made = image(t)?;
    for asks in [Asks::Mute, Asks::Stalls] {
        let registry = Registry::serve(&made, asks)?;
        let mut pull = pulling(t, &registry)?;
        command(&["kill", "-INT", &pull.id().to_string()])?.ok()?;
        let ended = until("the end of the pull", || pull.try_wait().ok().flatten());
        if ended.is_err() {
            pull.kill()?;
        }
        let status = ended?;
        let stderr = String::from_utf8_lossy(&pull.wait_with_output()?.stderr).into_owned();
        let done = Done { command: "build".to_owned(), status, stdout: String::new(), stderr };
        one_clear_line(&done, 130, &["interrupted"])?;
        assert_eq!(all(t), Vec::<String>::new(), "{asks:?}");
    }
    Ok(())
}

/// What an archive becomes may be far more than it is.
fn more_than_the_disk_holds_is_one_line(t: &Test) -> Outcome {
    let bomb = t.root().join("bomb.tar.zst");
    let make = "cd \"$1\" && mkdir t && truncate -s 10G t/large && tar -C t -c large | zstd -q >bomb.tar.zst && rm -r t";
    command(&["sh", "-ec", make, "sh", &t.root().to_string_lossy()])?.ok()?;
    assert!(fs::metadata(&bomb)?.len() < 4 << 20);
    let bomb = bomb.to_string_lossy().into_owned();
    let limited = t.jaula().run(&["template", "import", "x", &bomb, "--limit", "1G"])?;
    assert!(limited.status.code() == Some(1) && limited.stderr.contains("holds more than"), "{limited}");
    assert_eq!(all(t), Vec::<String>::new());
    // A disk of its own below the house.
    let made = image(t)?;
    let kept = t.root().with_extension("kept");
    fs::create_dir(&kept)?;
    let moved = (|| -> Outcome {
        command(&["mv", &bomb, &made.to_string_lossy(), &kept.to_string_lossy()])?.ok()?;
        let _disk = SmallDisk::mount(t, 24 << 20)?;
        let bomb = kept.join("bomb.tar.zst").to_string_lossy().into_owned();
        let full = t.jaula().run(&["template", "import", "x", &bomb])?;
        assert!(full.status.code() == Some(1) && full.stderr.lines().count() <= 4, "{full}");
        let lines = ["holds more than", "No space left", "no room"];
        assert!(lines.iter().any(|line| full.stderr.contains(line)), "{full}");
        assert_eq!(all(t), Vec::<String>::new());
        let layer = kept.join("made/lower");
        command(&["sh", "-c", &format!("head -c 40M /dev/urandom >{}/large", layer.display())])?.ok()?;
        let again = "cd \"$1\"; rm -r image *.tar *.gz; mv lower base; rm -rf upper";
        let place = kept.join("made").to_string_lossy().into_owned();
        command(&["sh", "-ec", again, "sh", &place])?.ok()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("images.sh").to_string_lossy().into_owned();
        command(&["sh", &script, &place, &format!("{place}/base")])?.ok()?;
        let full =
            t.jaula().run(&["build", &t.name("big"), "--quiet", "--from", &format!("oci:{place}/image")])?;
        assert!(full.status.code() == Some(1) && full.stderr.lines().count() <= 4, "{full}");
        assert!(lines.iter().any(|line| full.stderr.contains(line)), "{full}");
        assert_eq!(all(t), Vec::<String>::new());
        Ok(())
    })();
    fs::remove_dir_all(&kept)?;
    moved
}
