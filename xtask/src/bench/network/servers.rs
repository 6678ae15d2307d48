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

/// Starts all that can be started. The second list says what cannot, and why.
pub(super) fn begin(
    scene: &Scene,
    jaula: &Path,
    ground: &Ground,
    directory: &Path,
) -> Result<(Vec<Server>, Vec<String>)> {
    let here = directory.display().to_string();
    fs::write(directory.join("file"), [b'x'; 1024])?;
    let config = CONFIG.replace("PORT", &PORT.to_string()).replace("HERE", &here);
    fs::write(directory.join("nginx.conf"), &config)?;
    // On the bare host "any address" would be the other jail's as well.
    fs::write(directory.join("bare.conf"), config.replace("0.0.0.0", HOST))?;
    fs::write(
        directory.join("serve"),
        format!("#!/bin/sh\niperf3 -s ${{2:+-B $2}} >/dev/null & \nexec nginx -e stderr -c {here}/$1.conf\n"),
    )?;
    let serve = [String::from("sh"), format!("{here}/serve")];
    let mut servers = Vec::new();
    let mut absent = Vec::new();
    let mut add = |name: &str, address: &str, begun: Result<(Command, Option<Command>)>| {
        let begun = begun.and_then(|(begin, end)| Server::begin(scene, name, address, begin, end));
        match begun {
            Ok(server) => servers.push(server),
            Err(why) => absent.push(format!("{name}: {}", why.to_string().trim().replace('\n', " "))),
        }
    };
    add("bare host", HOST, Ok((scene.host(&[&serve[0], &serve[1], "bare", HOST]), None)));
    for (mode, address, more) in [
        ("bind", BIND, vec![format!("network.addresses=[\"{BIND}\"]")]),
        ("routed", "10.91.0.2", vec!["network.addresses=[\"10.91.0.2\"]".to_owned()]),
        (
            "bridge",
            "10.92.0.2",
            [
                "network.addresses=[\"10.92.0.2/24\"]",
                "network.gateway=[\"10.92.0.1\"]",
                "network.parent=\"jbj\"",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
    ] {
        if mode == "bridge" {
            bridge(scene, "jbj", "10.92.0.1/24")?;
        }
        let jaula = jaula.display().to_string();
        // Wherever this work tree is, the jail sees the files that are served.
        let files = format!("{here}:{here}");
        let mut words = vec![jaula.as_str(), "run", "--root", "host", "--mount", &files, "--set"];
        let network = format!("network.mode=\"{mode}\"");
        words.push(&network);
        for key in &more {
            words.extend(["--set", key.as_str()]);
        }
        words.extend(["--", &serve[0], &serve[1], "nginx"]);
        let mut command = scene.host(&words);
        command.env("JAULA_ROOT", ground.directory.join("network"));
        add(&format!("jaula, {mode}"), address, Ok((command, None)));
    }
    bridge(scene, "jbx", "10.93.0.1/24")?;
    let by_hand = scene.behind("jbx", "10.93.0.1", "10.93.0.3/24", &[&serve[0], &serve[1], "nginx"]);
    add("veth and bridge by hand, no container", "10.93.0.3", by_hand.map(|command| (command, None)));
    add("LXC, veth and bridge", "10.93.0.2", lxc(scene, directory, &serve));
    add("Podman, veth and bridge", PODMAN, podman(scene, directory, &serve));
    if servers.first().is_none_or(|first| first.name != "bare host") {
        return Err(format!("the bare host does not serve: {}", absent.join("; ")).into());
    }
    Ok((servers, absent))
}

impl Server {
    /// Starts it and waits until both its programs answer.
    fn begin(
        scene: &Scene,
        name: &str,
        address: &str,
        mut begin: Command,
        end: Option<Command>,
    ) -> Result<Self> {
        let log = std::env::temp_dir().join(format!("jaula-bench-{}", std::process::id()));
        begin.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?).process_group(0);
        let process = begin.spawn()?;
        let mut server = Self { name: name.to_owned(), address: address.to_owned(), process, end };
        let since = Instant::now();
        let both = format!("exec 3<>/dev/tcp/{address}/{PORT} && exec 4<>/dev/tcp/{address}/5201");
        let answers = || scene.beyond(&["timeout", "1", "bash", "-c", &both]).stderr(Stdio::null()).status();
        while !answers()?.success() {
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

fn bridge(scene: &Scene, name: &str, address: &str) -> Result {
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

fn lxc(scene: &Scene, directory: &Path, serve: &[String]) -> Result<(Command, Option<Command>)> {
    if !has("lxc-start") {
        return Err("lxc-start is not here".into());
    }
    let root = root(directory, "lxc-root")?;
    let mut config = format!(
        "lxc.uts.name = bench\nlxc.rootfs.path = dir:{}\nlxc.mount.auto = proc:mixed sys:mixed\n\
         lxc.net.0.type = veth\nlxc.net.0.link = jbx\nlxc.net.0.flags = up\n\
         lxc.net.0.ipv4.address = 10.93.0.2/24\nlxc.net.0.ipv4.gateway = 10.93.0.1\n",
        root.display()
    );
    for seen in SEEN.map(PathBuf::from).iter().chain([&directory.to_owned()]) {
        let inside = seen.strip_prefix("/")?.display();
        config.push_str(&format!("lxc.mount.entry = {} {inside} none bind,ro 0 0\n", seen.display()));
    }
    let file = directory.join("lxc.conf");
    fs::write(&file, config)?;
    let (file, state) = (file.display().to_string(), directory.join("lxc").display().to_string());
    fs::create_dir_all(&state)?;
    let name = ["-P", &state, "-n", "bench"];
    let mut begin = scene.host(&["lxc-start", "-F", "-f", &file]);
    begin.args(name).arg("--").args(serve).arg("nginx");
    let mut end = scene.host(&["lxc-stop", "-k"]);
    end.args(name);
    Ok((begin, Some(end)))
}

const PODMAN: &str = "10.88.0.77";

fn podman(scene: &Scene, directory: &Path, serve: &[String]) -> Result<(Command, Option<Command>)> {
    if !has("podman") {
        return Err("podman is not here".into());
    }
    let root = root(directory, "podman-root")?.display().to_string();
    let store = |what: &str| directory.join(what).display().to_string();
    let (graph, run) = (store("podman-store"), store("podman-run"));
    let place = ["podman", "--root", &graph, "--runroot", &run, "--cgroup-manager", "cgroupfs"];
    let mut begin = scene.host(&place);
    begin.args(["run", "--rm", "--name", "jaula-bench", "--no-hosts", "--network", "podman", "--ip", PODMAN]);
    for seen in SEEN.map(PathBuf::from).iter().chain([&directory.to_owned()]) {
        begin.arg("-v").arg(format!("{0}:{0}:ro", seen.display()));
    }
    begin.args(["--rootfs", &root]).args(serve).arg("nginx");
    let mut end = scene.host(&place);
    end.args(["rm", "-f", "-t", "0", "jaula-bench"]);
    Ok((begin, Some(end)))
}
