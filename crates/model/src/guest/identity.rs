//! What tells one machine from another: its id, and the keys of its ssh server.

use super::lines::{Place, block};
use super::{Age, At, Fixer, Init, marked};

const KEYS: &str = "/etc/ssh";
const UNIT: &str = "/etc/systemd/system/jaula-ssh-host-keys.service";
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/jaula-ssh-host-keys.service";
const WHY: &str = "a new server makes host keys of its own at its first start";

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    if let Age::Built { machine_id } | Age::Cloned { machine_id } = &fixer.guest.age {
        let id = format!("{machine_id}\n");
        machine(fixer, id);
        for name in fixer.files.names(KEYS) {
            if name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub")) {
                fixer.remove(&format!("{KEYS}/{name}"), "host keys are known to whoever has the template");
            }
        }
    }
    makes_keys(fixer);
}

fn machine(fixer: &mut Fixer<'_>, id: String) {
    const ID: &str = "/etc/machine-id";
    const OF_DBUS: &str = "/var/lib/dbus/machine-id";
    let wanted = fixer.init == Init::Systemd || fixer.has(ID) || fixer.has(OF_DBUS);
    if !wanted {
        return;
    }
    // An empty one, or "uninitialized", would make systemd take its first start for the first of a new
    // installation, and enable what the distribution presets.
    fixer.write_mode(ID, id, 0o444, "each server has an id of its own");
    if matches!(fixer.files.at(OF_DBUS), At::Text(_)) {
        fixer.link(OF_DBUS, ID, "each server has an id of its own");
    }
}

/// Sees to it that somebody makes the keys. Alpine's and Gentoo's script (`sshd`) does, and so do RPM distributions'
/// units; Debian's (`ssh`) makes them when the package is installed only, or on what systemd takes for a first boot.
fn makes_keys(fixer: &mut Fixer<'_>) {
    if !fixer.has("/usr/sbin/sshd") || !fixer.has("/usr/bin/ssh-keygen") {
        return;
    }
    if fixer.init == Init::Systemd {
        let own =
            ["/usr/lib/systemd/system/sshd-keygen@.service", "/lib/systemd/system/sshd-keygen@.service"];
        if !own.iter().any(|path| fixer.has(path)) {
            // A key for RSA is a quarter of a second of work, or two: it is begun with all else, and ends before the
            // server that needs it starts.
            let unit = "[Unit]\nDescription=SSH host keys of this server's own\n\
                        ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n\
                        DefaultDependencies=no\nRequiresMountsFor=/etc/ssh\nAfter=systemd-remount-fs.service\n\
                        Before=ssh.service ssh.socket sshd.service sshd.socket\n\
                        Conflicts=shutdown.target\nBefore=shutdown.target\n\n\
                        [Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -A\n";
            fixer.write(UNIT, marked(unit), WHY);
            fixer.link(WANTED, "../jaula-ssh-host-keys.service", WHY);
        }
    } else if fixer.has("/etc/init.d/ssh") {
        // The script reads it as a shell before it starts the server.
        let lines = "[ -e /etc/ssh/ssh_host_ed25519_key ] || /usr/bin/ssh-keygen -A\n";
        let text = fixer.text("/etc/default/ssh").unwrap_or_default();
        fixer.write("/etc/default/ssh", block(&text, lines, Place::Bottom), WHY);
    }
}
