//! Two hosts on one cable: what is reached from outside must be tried from outside.

use super::jaula::{Done, Jaula, command};
use super::test::{Outcome, Test};
use std::process::{Child, Command, Stdio};

/// The address of the host that looks, on the cable.
pub const CLIENT: &str = "192.0.2.1";

/// Two network namespaces with a pair of interfaces between them: in one jails run, the other looks at
/// them. Dropped, both are gone.
#[derive(Debug)]
pub struct Cable<'t> {
    t: &'t Test,
    server: Child,
    client: Child,
}

impl<'t> Cable<'t> {
    /// Lays one; the host that has jails has these addresses of 192.0.2.0/24 and 2001:db8::/64.
    pub fn lay(t: &'t Test, addresses: &[&str]) -> Outcome<Self> {
        let cable = Self { t, server: namespace()?, client: namespace()? };
        let other = cable.client.id().to_string();
        cable
            .ip(&cable.server, &["link", "add", "cable", "type", "veth", "peer", "cable", "netns", &other])?;
        let ends = [(&cable.server, addresses), (&cable.client, &[CLIENT, "2001:db8::1"][..])];
        for (end, addresses) in ends {
            cable.ip(end, &["link", "set", "lo", "up"])?;
            cable.ip(end, &["link", "set", "cable", "up"])?;
            for address in addresses {
                let prefix = if address.contains(':') { 64 } else { 24 };
                let address = format!("{address}/{prefix}");
                // `nodad`: it can be bound at once.
                let nodad = if prefix == 64 { &["nodad"][..] } else { &[] };
                cable.ip(end, &[&["address", "add", &address, "dev", "cable"], nodad].concat())?;
            }
        }
        Ok(cable)
    }

    fn ip(&self, end: &Child, words: &[&str]) -> Outcome {
        let into = format!("--net=/proc/{}/ns/net", end.id());
        command(&[&["nsenter", &into, "ip"], words].concat())?.ok().map(drop)
    }

    /// The host that has jails passes on what is not its own.
    pub fn forwards(&self) -> Outcome {
        let into = format!("--net=/proc/{}/ns/net", self.server.id());
        let on = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
        command(&["nsenter", &into, "sysctl", "-qw", on[0], on[1]])?.ok().map(drop)
    }

    /// jaula on the host that has jails.
    pub fn jaula(&self) -> Jaula {
        let into = format!("--net=/proc/{}/ns/net", self.server.id());
        self.t.jaula().through(["nsenter", &into, "--"].map(Into::into).to_vec())
    }

    /// The same house from the host that looks: an administrator's shell in another network namespace.
    pub fn jaula_elsewhere(&self) -> Jaula {
        let into = format!("--net=/proc/{}/ns/net", self.client.id());
        self.t.jaula().through(["nsenter", &into, "--"].map(Into::into).to_vec())
    }

    /// jaula on the host that looks, with a house of its own: two hosts that have jails.
    pub fn jaula_of_client(&self) -> Jaula {
        let into = format!("--net=/proc/{}/ns/net", self.client.id());
        Jaula::new(&self.t.root().join("other")).through(["nsenter", &into, "--"].map(Into::into).to_vec())
    }

    /// A program of the host that has jails.
    pub fn server(&self, words: &[&str]) -> Outcome<Done> {
        let into = format!("--net=/proc/{}/ns/net", self.server.id());
        command(&[&["nsenter", &into, "--"], words].concat())
    }

    /// A program of the host that looks.
    pub fn client(&self, words: &[&str]) -> Outcome<Done> {
        let into = format!("--net=/proc/{}/ns/net", self.client.id());
        command(&[&["nsenter", &into, "--"], words].concat())
    }

    /// The same, to be run by the caller.
    pub fn client_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.client.id())).arg("--").args(words);
        command
    }
}

impl Drop for Cable<'_> {
    fn drop(&mut self) {
        for end in [&mut self.server, &mut self.client] {
            drop(end.stdin.take());
            _ = end.wait();
        }
    }
}

/// A process in a network namespace of its own, until its standard input ends.
fn namespace() -> Outcome<Child> {
    let mut keep = Command::new("unshare");
    keep.args(["--net", "sh", "-c", "echo ready; exec cat >/dev/null"]);
    let mut keep = keep.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = [0; 6];
    std::io::Read::read_exact(&mut keep.stdout.take().ok_or("no output")?, &mut said)?;
    Ok(keep)
}
