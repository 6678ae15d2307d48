//! The servers: nginx and iperf3 on the bare host, in jails of each mode, in Podman's and LXC's networks.

use super::scene::{BIND, HOST, Scene};
use crate::bench::Ground;
use crate::shell::{Result, command, has, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where nginx listens.
pub(super) const PORT: u16 = 8080;

/// One that answers. It ends when it is dropped.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: String,
    process: Child,
    /// What ends it, if the death of the process does not.
    end: Option<Command>,
    /// Where it stands; last, so that it goes after the process.
    pub(super) scene: Scene,
}

/// How one is started: where, at which address, by what, and what ends it if the death of that does not.
struct Plan {
    scene: Scene,
    address: String,
    begin: Command,
    end: Option<Command>,
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.end {
            // What is left shows as a process.
            Some(end) => _ = end.stdout(Stdio::null()).stderr(Stdio::null()).status(),
            // With what it has started: it leads a process group.
            None => _ = run(&mut command(&["kill", "--", &format!("-{}", self.process.id())])),
        }
        let _ = self.process.wait();
    }
}

const CONFIG: &str = "\
worker_processes 1;
daemon off;
user root;
pid /tmp/nginx-PORT.pid;
error_log stderr crit;
events { worker_connections 256; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path /tmp/nginx-body;
    proxy_temp_path /tmp/nginx-proxy;
    fastcgi_temp_path /tmp/nginx-fastcgi;
    uwsgi_temp_path /tmp/nginx-uwsgi;
    scgi_temp_path /tmp/nginx-scgi;
    server { listen 0.0.0.0:PORT; root HERE; }
}
";

/// What all of them need: the program that serves, and where there is room.
struct Ways<'w> {
    jaula: &'w Path,
    ground: &'w Ground,
    directory: &'w Path,
    serve: [String; 2],
}

/// Starts all that can be started, each on a host of its own, so that nobody's rules are in another's way. The second
/// list says what cannot, and why.
pub(super) fn begin(jaula: &Path, ground: &Ground, directory: &Path) -> Result<(Vec<Server>, Vec<String>)> {
    let here = directory.display().to_string();
    fs::write(directory.join("file"), [b'x'; 1024])?;
    let config = CONFIG.replace("PORT", &PORT.to_string()).replace("HERE", &here);
    fs::write(directory.join("nginx.conf"), &config)?;
    fs::write(
        directory.join("serve"),
        format!("#!/bin/sh\niperf3 -s >/dev/null &\nexec nginx -e stderr -c {here}/nginx.conf\n"),
    )?;
    let serve = ["sh".to_owned(), format!("{here}/serve")];
    let ways = Ways { jaula, ground, directory, serve };
    let mut servers = Vec::new();
    let mut absent = Vec::new();
    for (name, plan) in [
        ("bare host", ways.bare()),
        ("bare host, another", ways.bare()),
        ("jaula bind, without a jail", ways.bound()),
        ("jaula, host", ways.jail("host", "addresses=[]")),
        ("jaula, bind", ways.jail("bind", &format!("addresses=[\"{BIND}\"]"))),
        ("jaula, routed", ways.jail("routed", "addresses=[\"10.91.0.2\"]")),
        ("jaula, bridge", ways.jail("bridge", "addresses=[\"10.91.0.2/24\"]")),
        ("veth and bridge by hand, no rules", ways.by_hand()),
        ("LXC, its bridge and rules", ways.lxc()),
        ("Podman, its bridge and rules", ways.podman()),
    ] {
        match plan.and_then(|plan| Server::begin(name, plan)) {
            Ok(server) => servers.push(server),
            Err(why) => absent.push(format!("{name}: {}", why.to_string().trim().replace('\n', " "))),
        }
    }
    if servers.first().is_none_or(|first| first.name != "bare host") {
        return Err(format!("the bare host does not serve: {}", absent.join("; ")).into());
    }
    Ok((servers, absent))
}

impl Ways<'_> {
    fn bare(&self) -> Result<Plan> {
        let scene = Scene::make()?;
        let begin = scene.host(&self.words());
        Ok(Plan { scene, address: HOST.to_owned(), begin, end: None })
    }

    fn bound(&self) -> Result<Plan> {
        let scene = Scene::make()?;
        let jaula = self.jaula.display().to_string();
        let mut begin = scene.host(&[&[jaula.as_str(), "bind", "--ip", BIND][..], &self.words()].concat());
        begin.env("JAULA_ROOT", self.ground.directory.join("network-bound"));
        Ok(Plan { scene, address: BIND.to_owned(), begin, end: None })
    }

    fn words(&self) -> Vec<&str> {
        self.serve.iter().map(String::as_str).collect()
    }

    fn jail(&self, mode: &str, key: &str) -> Result<Plan> {
        let scene = Scene::make()?;
        let jaula = self.jaula.display().to_string();
        // Wherever this work tree is, the jail sees the files that are served.
        let files = format!("{0}:{0}", self.directory.display());
        let keys = [format!("network.mode=\"{mode}\""), format!("network.{key}")];
        let mut begin = scene.host(&[&jaula, "run", "--root", "host", "--mount", &files]);
        for key in keys {
            begin.args(["--set", &key]);
        }
        begin.arg("--").args(&self.serve);
        begin.env("JAULA_ROOT", self.ground.directory.join(format!("network-{mode}")));
        let address = match mode {
            "bind" => BIND,
            "host" => HOST,
            _ => "10.91.0.2",
        };
        Ok(Plan { scene, address: address.to_owned(), begin, end: None })
    }

    fn by_hand(&self) -> Result<Plan> {
        let scene = Scene::make()?;
        bridge(&scene, "jbx", "10.93.0.1/24")?;
        let begin = scene.behind("jbx", "10.93.0.1", "10.93.0.2/24", &self.words())?;
        Ok(Plan { scene, address: "10.93.0.2".to_owned(), begin, end: None })
    }
}

impl Server {
    /// Starts it and waits until both its programs answer.
    fn begin(name: &str, plan: Plan) -> Result<Self> {
        let Plan { scene, address, mut begin, end } = plan;
        let log = std::env::temp_dir().join(format!("jaula-bench-{}", std::process::id()));
        begin.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?).process_group(0);
        let process = begin.spawn()?;
        let both = format!("exec 3<>/dev/tcp/{address}/{PORT} && exec 4<>/dev/tcp/{address}/5201");
        let mut server = Self { name: name.to_owned(), address, process, end, scene };
        let since = Instant::now();
        while !server
            .scene
            .beyond(&["timeout", "1", "bash", "-c", &both])
            .stderr(Stdio::null())
            .status()?
            .success()
        {
            let ended = server.process.try_wait()?.is_some();
            if ended || since.elapsed() > Duration::from_secs(15) {
                let said = fs::read_to_string(&log).unwrap_or_default();
                let last =
                    said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
                return Err(format!("it does not answer: {last}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = fs::remove_file(log);
        Ok(server)
    }
}

pub(super) fn bridge(scene: &Scene, name: &str, address: &str) -> Result {
    scene.on_host(&format!("ip link add {name} type bridge"))?;
    scene.on_host(&format!("ip addr add {address} dev {name}"))?;
    scene.on_host(&format!("ip link set {name} up"))
}

/// What of this machine's files the peers' containers see; the rest of their root is empty.
const SEEN: [&str; 2] = ["/usr", "/etc"];

/// A root that the host's own programs are mounted into.
fn root(directory: &Path, name: &str) -> Result<PathBuf> {
    let root = directory.join(name);
    for inside in ["usr", "etc", "dev", "proc", "sys", "tmp", "run", "var/log/nginx", "var/lib/nginx"] {
        fs::create_dir_all(root.join(inside))?;
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{link}"), root.join(link))?;
    }
    fs::create_dir_all(root.join(directory.strip_prefix("/")?))?;
    Ok(root)
}

/// The rules that Debian's lxc-net makes for its bridge (`/usr/libexec/lxc/lxc-net`).
const LXC_NET: &str = "\
add table inet lxc
add chain inet lxc input { type filter hook input priority 0; }
add rule inet lxc input iifname jbx udp dport { 53, 67 } accept
add rule inet lxc input iifname jbx tcp dport { 53, 67 } accept
add chain inet lxc forward { type filter hook forward priority 0; }
add rule inet lxc forward iifname jbx accept
add rule inet lxc forward oifname jbx accept
add table ip lxc
add chain ip lxc postrouting { type nat hook postrouting priority 100; }
add rule ip lxc postrouting ip saddr 10.93.0.0/24 ip daddr != 10.93.0.0/24 counter masquerade
";

impl Ways<'_> {
    fn lxc(&self) -> Result<Plan> {
        if !has("lxc-start") {
            return Err("lxc-start is not here".into());
        }
        let scene = Scene::make()?;
        bridge(&scene, "jbx", "10.93.0.1/24")?;
        let rules = self.directory.join("lxc-net");
        fs::write(&rules, LXC_NET)?;
        run(&mut scene.host(&["nft", "-f", &rules.display().to_string()]))?;
        let root = root(self.directory, "lxc-root")?;
        let mut config = format!(
            "lxc.uts.name = bench\nlxc.rootfs.path = dir:{}\nlxc.mount.auto = proc:mixed sys:mixed\n\
             lxc.net.0.type = veth\nlxc.net.0.link = jbx\nlxc.net.0.flags = up\n\
             lxc.net.0.ipv4.address = 10.93.0.2/24\nlxc.net.0.ipv4.gateway = 10.93.0.1\n",
            root.display()
        );
        for seen in SEEN.map(PathBuf::from).iter().chain([&self.directory.to_owned()]) {
            let inside = seen.strip_prefix("/")?.display();
            config.push_str(&format!("lxc.mount.entry = {} {inside} none bind,ro 0 0\n", seen.display()));
        }
        let file = self.directory.join("lxc.conf");
        fs::write(&file, config)?;
        let (file, state) = (file.display().to_string(), self.directory.join("lxc").display().to_string());
        fs::create_dir_all(&state)?;
        let mut begin = scene.peer(&["lxc-start", "-P", &state, "-n", "bench", "-F", "-f", &file, "--"]);
        begin.args(&self.serve);
        // It leaves a control group of every kind behind.
        let script = "lxc-stop -P \"$0\" -n bench -k; rmdir /sys/fs/cgroup/*/lxc.pivot";
        let end = scene.peer(&["sh", "-c", script, &state]);
        Ok(Plan { scene, address: "10.93.0.2".to_owned(), begin, end: Some(end) })
    }

    fn podman(&self) -> Result<Plan> {
        if !has("podman") {
            return Err("podman is not here".into());
        }
        let scene = Scene::make()?;
        let root = root(self.directory, "podman-root")?.display().to_string();
        let store = |what: &str| self.directory.join(what).display().to_string();
        let (graph, state, networks) = (store("podman-store"), store("podman-run"), store("podman-net"));
        let mut begin = scene.peer(&["podman", "--root", &graph, "--runroot", &state]);
        begin.args(["--cgroup-manager", "cgroupfs", "--network-config-dir", &networks]);
        begin.args(["run", "--rm", "--name", "jaula-bench", "--no-hosts", "--cgroups=disabled"]);
        // Its own limits are more than whoever runs this may have.
        begin.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]);
        begin.args(["--network", "podman", "--ip", PODMAN]);
        for seen in SEEN.map(PathBuf::from).iter().chain([&self.directory.to_owned()]) {
            begin.arg("-v").arg(format!("{0}:{0}:ro", seen.display()));
        }
        begin.args(["--rootfs", &root]).args(&self.serve);
        Ok(Plan { scene, address: PODMAN.to_owned(), begin, end: None })
    }
}

/// Of the net that Podman makes by itself.
const PODMAN: &str = "10.88.0.77";
