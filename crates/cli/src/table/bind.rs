//! Addresses without a jail.

use super::options as opt;
use super::{Count, Group, Kind, Operand, Verb, Words};
use crate::command::{Bind, Command};
use crate::exit;

pub(crate) static BIND: Verb = Verb {
    name: "bind",
    group: Group::Run,
    summary: "Run a command at addresses of the host, without a jail",
    about: "Runs the command with the host's files, users and processes, and of the host's addresses only those \
            given: what listens on every address listens on them alone, connections and datagrams leave from \
            them, and every other address is refused. So two services can have the same port at two addresses, \
            whatever their configuration says. What the command starts is kept to them as well, also after it has \
            ended. jaula exits with its status.\n\n\
            \"Any address\" is one address of each family, the first that is given: a service that should answer \
            at several of them binds to each by name. Multicast and broadcast are not received. 127.0.0.1 is the \
            command's own. Sockets other than TCP, UDP and ping (with `ping -I ADDRESS`) are refused.\n\n\
            This keeps programs to addresses, not people from them: root on the host can leave the control group \
            that the command runs in. A jail (`jaula run --ip`) nobody leaves.",
    operands: &[Operand {
        name: "CMD",
        count: Count::Many,
        words: Words::Command,
        help: "The program to run, with its arguments.",
    }],
    options: &[&opt::BIND_IP],
    examples: &[
        ("jaula bind --ip 192.0.2.10 nginx", "a web server that leaves port 80 of other addresses alone"),
        ("jaula bind --ip 192.0.2.10 --ip 2001:db8::10 -- /usr/sbin/sshd -D", "an address of each family"),
        ("jaula bind --ip 192.0.2.11 curl example.org", "a client that comes from this address"),
    ],
    exits: exit::COMMAND,
    see: &["run", "gc"],
    kind: Kind::Command(|given| {
        Ok(Command::Bind(Bind { addresses: given.addresses, command: given.operands }))
    }),
};
