//! OpenSSH: somebody logs in, and git goes over it.

use super::{Service, up};
use crate::declared::one_line;
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [ssh, git_over_ssh])
}

/// Two keys, of which the first is let in.
const KEYS: &str = "mkdir -m 700 -p ~/.ssh; cd ~/.ssh
    ssh-keygen -q -t ed25519 -N '' -f id_ed25519; ssh-keygen -q -t ed25519 -N '' -f stranger
    echo 'StrictHostKeyChecking accept-new' > config
    cat id_ed25519.pub >> /srv/examples/$1/conf/authorized_keys";

pub(crate) fn keys(machine: &Machine<'_>, recipe: &str) -> Outcome {
    machine.run(&["bash", "-euc", KEYS, "keys", recipe])?.ok().map(drop)
}

fn ssh(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    keys(&machine, "sshd")?;
    up(&machine, "sshd")?;
    let ssh = Service::of(t, &machine, "ssh");
    let login = |words: &str| machine.shell(&format!("ssh -o BatchMode=yes alice@localhost {words} 2>&1"));
    assert!(login("id")?.contains("uid=1000(alice) gid=1000(alice) groups=1000(alice)\n"));
    // With a terminal of the jail's, which is hers.
    let terminal = machine.shell("ssh -tt alice@localhost 'tty; ls -l $(tty)' < /dev/null")?;
    assert!(terminal.starts_with("/dev/pts/") && terminal.contains(" alice tty "), "{terminal}");
    // What she finds is the jail: no process and no file of the host's but what it holds.
    assert_eq!(
        login("'ls /home /usr/bin'")?,
        "/home:\nalice\n\n/usr/bin:\nbash\ncat\nid\nls\nmkdir\nrm\ntty\n"
    );
    let processes = login("'cat /proc/[0-9]*/comm'")?;
    let own = ["sshd", "sshd-session", "bash", "cat"];
    assert!(processes.lines().all(|name| own.contains(&name)), "{processes}");
    login("'mkdir notes; echo kept > notes/it'")?;
    machine.shell(
        "cd /tmp; echo sent > x; printf 'put x\nget notes/it\n' | sftp -q -b - alice@localhost; grep kept it",
    )?;

    // Another key, and another user.
    for stranger in ["-i ~/.ssh/stranger -o IdentitiesOnly=yes alice@localhost", "root@localhost"] {
        let done = machine.run(&["bash", "-c", &format!("ssh -o BatchMode=yes {stranger} id")])?;
        assert!(done.stderr.contains("Permission denied (publickey)"), "{done}");
    }
    assert!(machine.shell("nc -w1 localhost 22 < /dev/null")?.starts_with("SSH-2.0-OpenSSH"));

    // Read again: nobody may log in any more, until a restart with what was before.
    machine.shell("sed -i s/alice/nobody/ /srv/examples/sshd/conf/sshd_config")?;
    ssh.jaula("signal", &["HUP"])?;
    ssh.jail.says("Received SIGHUP; restarting")?;
    super::answers(&machine, "ssh -o BatchMode=yes alice@localhost id", "Permission denied")?;
    ssh.stops()?;
    machine.shell("sed -i 's/AllowUsers nobody/AllowUsers alice/' /srv/examples/sshd/conf/sshd_config")?;
    ssh.jaula("start", &[])?;
    assert_eq!(login("cat notes/it x")?, "kept\nsent\n");
    ssh.stops()
}

fn git_over_ssh(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    keys(&machine, "git")?;
    up(&machine, "git")?;
    let git = Service::of(t, &machine, "git");
    git.jaula(
        "exec",
        &["--user", "git", "--", "git", "init", "-q", "--bare", "-b", "main", "/srv/git/site.git"],
    )?;
    let url = "ssh://git@localhost:2222/srv/git/site.git";
    machine.shell(&format!(
        "cd /tmp; git clone -q {url} one 2>&1; cd one; git config user.email a@example.org; git config user.name a
        echo page > index.html; git add .; git commit -qm 'A page'; git push -q origin HEAD:main"
    ))?;
    git.stops()?;
    git.jaula("start", &[])?;
    let log = machine
        .shell(&format!("cd /tmp; git clone -q {url} two; cat two/index.html; git -C two log --format=%s"))?;
    assert_eq!(log, "page\nA page\n");
    // A key gives no shell.
    let shell = machine.run(&["ssh", "-p", "2222", "git@localhost", "id"])?;
    assert!(shell.stderr.contains("unrecognized command 'id'"), "{shell}");
    git.stops()?;
    let gone = machine.run(&["git", "ls-remote", url])?;
    assert!(gone.stderr.contains("Connection refused"), "{gone}");
    one_line(&machine.jaula().fails(&["signal", "git", "HUP"])?, &["is not running"])
}
