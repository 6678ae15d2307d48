//! A host and another machine: two network namespaces with a veth between them.

use crate::shell::{Result, command, run};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The host's own address towards the other machine, and the second one, which a jail in mode `bind` has.
pub(super) const HOST: &str = "10.90.0.1";
pub(super) const BIND: &str = "10.90.0.2";

/// Removed when it is dropped, with all that runs in it and holds it.
pub(in crate::bench) struct Scene {
    host: String,
    beyond: String,
    /// A container's network, made by hand.
    inside: String,
}

impl Scene {
    pub(in crate::bench) fn make() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |what: &str| format!("jb{}{what}{number}", std::process::id());
        let scene = Self { host: name("h"), beyond: name("b"), inside: name("c") };
        for space in [&scene.host, &scene.beyond, &scene.inside] {
            run(&mut command(&["ip", "netns", "add", space]))?;
        }
        scene.on_host("ip link set lo up")?;
        let (host, beyond) = (&scene.host, &scene.beyond);
        scene.on_host(&format!("ip link add out type veth peer name in netns {beyond}"))?;
        for (space, line) in [
            (host, format!("ip addr add {HOST}/24 dev out")),
            (host, format!("ip addr add {BIND}/24 dev out")),
            (host, "ip link set out up".to_owned()),
            (host, "sysctl -qw net.ipv4.ip_forward=1".to_owned()),
            (beyond, "ip link set lo up".to_owned()),
            (beyond, "ip addr add 10.90.0.9/24 dev in".to_owned()),
            (beyond, "ip link set in up".to_owned()),
            (beyond, format!("ip route add default via {HOST}")),
        ] {
            run(&mut within(space, &line.split(' ').collect::<Vec<_>>()))?;
        }
        Ok(scene)
    }

    /// A command on the host: in its network, with all else of this machine.
    pub(in crate::bench) fn host(&self, words: &[&str]) -> Command {
        within(&self.host, words)
    }

    /// Another container's program on the host. LXC looks for bridges in `/sys`, and crun takes a host that has the
    /// control groups of both versions for one with version 2 alone; so both are mounted as they want them, for this
    /// command only.
    pub(super) fn peer(&self, words: &[&str]) -> Command {
        let script = "mountpoint -q /sys/fs/cgroup/unified && umount /sys/fs/cgroup/unified; \
            mount --rbind /sys/fs/cgroup /mnt && mount -t sysfs sysfs /sys && mount --move /mnt /sys/fs/cgroup && \
            exec \"$@\"";
        self.host(&[&["unshare", "--mount", "sh", "-c", script, "sh"], words].concat())
    }

    /// A command on the other machine.
    pub(super) fn beyond(&self, words: &[&str]) -> Command {
        within(&self.beyond, words)
    }

    /// A command in a network of its own behind the host's bridge: a veth into a bridge, as LXC and Podman make it.
    pub(super) fn behind(
        &self,
        bridge: &str,
        gateway: &str,
        address: &str,
        words: &[&str],
    ) -> Result<Command> {
        let inside = &self.inside;
        self.on_host(&format!("ip link add jbv type veth peer name eth0 netns {inside}"))?;
        self.on_host(&format!("ip link set jbv master {bridge} up"))?;
        for line in [
            format!("ip addr add {address} dev eth0"),
            "ip link set eth0 up".to_owned(),
            format!("ip route add default via {gateway}"),
        ] {
            run(&mut within(inside, &line.split(' ').collect::<Vec<_>>()))?;
        }
        Ok(within(inside, words))
    }

    /// One that must succeed.
    pub(super) fn on_host(&self, line: &str) -> Result {
        run(&mut self.host(&line.split(' ').collect::<Vec<_>>()))
    }
}

/// `ip netns exec` would have another `/sys` as well, without control groups.
fn within(space: &str, words: &[&str]) -> Command {
    let mut command = command(&["nsenter".to_owned(), format!("--net=/run/netns/{space}"), "--".to_owned()]);
    command.args(words);
    command
}

impl Drop for Scene {
    fn drop(&mut self) {
        for space in [&self.host, &self.beyond, &self.inside] {
            // What is left shows in `ip netns`.
            let _ = run(&mut command(&["ip", "netns", "del", space]));
        }
    }
}
