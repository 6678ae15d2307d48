//! The servers of `examples/servers/`, as they stand, used from another host.

use super::web::get;
use crate::declared::{nothing_left, until};
use jaula_tests::harness::{Cable, Outcome, Template, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [a_debian, two_of_one_template, servers_of_customers])
}

/// A recipe on a host with a cable, which has no address of a server's by itself.
struct Recipe<'t> {
    t: &'t Test,
    cable: Cable<'t>,
    /// The test's own copy.
    at: PathBuf,
}

impl<'t> Recipe<'t> {
    fn new(t: &'t Test, word: &str) -> Outcome<Self> {
        let cable = Cable::lay(t, &["192.0.2.9"])?;
        Template::Debian13.put(t)?;
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/servers").join(word);
        // The modes that a checkout makes, and root's.
        let words = ["cp", "-r", &from.to_string_lossy(), &t.root().to_string_lossy()];
        command(&words)?.ok()?;
        // The interface of this host.
        let file = t.root().join(word).join("jaula.toml");
        fs::write(&file, fs::read_to_string(&file)?.replace("dev eth0", "dev cable"))?;
        Ok(Self { t, cable, at: t.root().join(word) })
    }

    fn jaula(&self, verb: &str) -> Outcome {
        let jaula = self.cable.jaula().within(Duration::from_secs(240));
        let done = jaula.run(&[verb, &self.at.to_string_lossy()])?;
        match done.status.success() && done.stderr.is_empty() {
            true => Ok(()),
            false => Err(format!("{verb} not without a word of warning: {done}").into()),
        }
    }

    /// A line of shell in a server, which must succeed; gives what it printed.
    fn shell(&self, server: &str, script: &str) -> Outcome<String> {
        self.cable.jaula().within(Duration::from_secs(120)).ok(&["exec", server, "--", "sh", "-c", script])
    }

    /// All stands that it has started.
    fn is_whole(&self, server: &str) -> Outcome {
        assert_eq!(self.shell(server, crate::boot::WHOLE)?, "running\n");
        Ok(())
    }

    /// Ends all, and nothing is left of it.
    fn ends(&self) -> Outcome {
        self.jaula("down")?;
        let addresses = self.cable.server(&["ip", "-o", "address", "show", "dev", "cable"])?.ok()?;
        assert_eq!(addresses.matches("192.0.2.").count(), 1, "its own alone: {addresses}");
        nothing_left(self.t)
    }
}

fn a_debian(t: &Test) -> Outcome {
    let debian = Recipe::new(t, "debian")?;
    let key = t.root().join("key").display().to_string();
    debian.cable.client(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &key])?.ok()?;
    fs::copy(format!("{key}.pub"), debian.at.join("ssh/authorized_keys"))?;
    debian.jaula("up")?;
    debian.is_whole("debian")?;
    let known = format!("UserKnownHostsFile={key}.known");
    let options =
        ["-F", "none", "-o", "BatchMode=yes", "-o", &known, "-o", "StrictHostKeyChecking=accept-new"];
    let script = "id -un; hostname; cat /proc/1/comm; useradd -m bob; id -u bob";
    let login = [&["ssh"][..], &options, &["-i", &key, "root@192.0.2.10", script]].concat();
    assert_eq!(debian.cable.client(&login)?.ok()?, "root\ndebian\nsystemd\n1000\n");
    assert!(fs::read_to_string("/etc/passwd")?.lines().all(|line| !line.starts_with("bob:")));
    debian.ends()
}

fn two_of_one_template(t: &Test) -> Outcome {
    let twins = Recipe::new(t, "twins")?;
    twins.jaula("up")?;
    let both = |script: &str| -> Outcome<[String; 2]> {
        Ok([twins.shell("one", script)?, twins.shell("two", script)?])
    };
    for server in ["one", "two"] {
        twins.is_whole(server)?;
    }
    assert_eq!(both("hostname")?, ["one.example.org\n", "two.example.org\n"]);
    for own in ["cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"] {
        let [one, two] = both(own)?;
        assert_ne!(one, two, "{own}");
    }
    // What one does is nothing to the other.
    twins.shell("one", "useradd -m alice && echo x >/srv/one && rm /etc/motd")?;
    twins.shell("two", "! id alice 2>/dev/null && test ! -e /srv/one && test -e /etc/motd")?;
    // Each is reached at its address, and knows the other.
    let [one, two] = [("192.0.2.11", 0), ("192.0.2.12", 1)].map(|(address, at)| -> Outcome {
        let key = twins.cable.client(&["ssh-keyscan", "-T", "10", "-t", "ed25519", address])?.ok()?;
        let own = &both("cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub")?[at];
        assert!(key.contains(own.trim()), "{address}: {key}, not {own}");
        Ok(())
    });
    one.and(two)?;
    assert!(twins.shell("one", "getent hosts two.example.org two")?.starts_with("192.0.2.12"));
    // It was ready before.
    let status = twins.cable.jaula().json(&["list", "two", "one", "--json"])?;
    let started = |name: &str| {
        let all = status.as_array().into_iter().flatten();
        all.filter(|one| one["name"] == name).find_map(|one| one["started"].as_str().map(str::to_owned))
    };
    assert!(started("two").is_some() && started("two") <= started("one"), "{status}");
    twins.ends()
}

fn servers_of_customers(t: &Test) -> Outcome {
    let hosting = Recipe::new(t, "customers")?;
    hosting.jaula("up")?;
    for (server, address, site, size) in
        [("anna", "192.0.2.21", "Anna", 1 << 20), ("bruno", "192.0.2.22", "Bruno", 500 << 10)]
    {
        hosting.is_whole(server)?;
        assert_eq!(
            get(&hosting.cable, &format!("http://{address}/"))?,
            format!("<h1>The site of {site}</h1>\n")
        );
        let df = hosting.shell(server, "df -k --output=size /")?;
        assert_eq!(df.lines().last().unwrap_or_default().trim(), size.to_string(), "{df}");
    }
    // More than she has paid for is refused, and harms nobody else.
    let full = hosting.shell("anna", "dd if=/dev/zero of=/much bs=1M count=1100 2>&1; rm /much")?;
    assert!(full.contains("No space left"), "{full}");
    // What she writes is there for who keeps it, with her owners; and at once.
    hosting.shell("anna", "echo new >/var/www/html/index.html; chown www-data /var/www/html/index.html")?;
    let file = fs::metadata(hosting.at.join("sites/anna/index.html"))?;
    assert_eq!((file.uid(), file.len()), (33, 4));
    until("the new page", || (get(&hosting.cable, "http://192.0.2.21/").ok()? == "new\n").then_some(()))?;
    // Nothing of the other's: processes, files, address.
    hosting.shell("bruno", "sleep 4711 >/dev/null 2>&1 & echo secret >/srv/secret")?;
    hosting.shell("bruno", "pgrep -f 'sleep [4]711'")?;
    assert_eq!(hosting.shell("anna", "pgrep -f 'sleep [4]711'; ls /srv")?, "");
    let listen = "perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => 8081, \
                  Listen => 1) ? 1 : 0' ";
    for (address, own) in [("192.0.2.21", "1"), ("192.0.2.22", "0")] {
        assert_eq!(hosting.shell("anna", &format!("{listen}{address}"))?, own, "{address}");
    }
    hosting.ends()
}
