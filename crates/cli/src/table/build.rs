//! `build`: how virtual servers are made.

use super::options as opt;
use super::{Count, Group, Kind, Operand, Verb, Words};
use crate::command::{Build, Command};
use crate::exit;
use crate::usage::Fault;

pub(crate) static BUILD: Verb = Verb {
    name: "build",
    group: Group::Run,
    summary: "Make a virtual server: a whole distribution in a jail",
    about: "Makes the files of a new jail and writes its configuration. SPEC says from what:\n\n\
            `debootstrap:SUITE` is a Debian, an Ubuntu or a relative, by `mmdebstrap` or `debootstrap`, whichever \
            the host has; the program and the scripts of all packages run in a jail of their own, which sees the \
            host's files but changes none. Without `--variant` it is a small server: systemd, a network, sshd, a \
            pager and an editor.\n\n\
            `template:NAME` is a template that is there (`jaula template`). `host` is a copy of this host without its \
            mounts, keys, passwords, logs and caches; what is left out is printed first. `dir:PATH` is a copy of a \
            directory tree. `oci:IMAGE` is a container image. `clone:JAIL` or `clone:JAIL@SNAPSHOT` is a copy of another \
            jail that has files of its own, as `jaula clone` makes it. `skeleton` is empty directories, to be filled by hand.\n\n\
            The files are kept as `root.store` says. With `overlay`, the default, a template is made on the way \
            (`debian-13` of `debootstrap:trixie`), and the next jail of it takes milliseconds and no room. A name of \
            which there is a jail is refused. Interrupted, it leaves nothing; what a kill leaves, `jaula gc` removes.",
    operands: &[Operand {
        name: "NAME",
        count: Count::One,
        words: Words::Anything,
        help: "The new jail's name: up to 63 letters, digits, `_`, `.` and `-`, and not a number.",
    }],
    options: opt::BUILD,
    examples: &[
        (
            "jaula build web --from debootstrap:trixie",
            "a Debian 13; minutes the first time, then milliseconds",
        ),
        (
            "jaula build web --from debootstrap:trixie --packages nginx,php-fpm --template php --start",
            "with more packages, on a template of its own",
        ),
        ("jaula build db --from template:debian-13 --set root.size=6G:7G", "from a template, with a limit"),
        (
            "jaula build old --from host --store image --set root.size=20G --dry-run",
            "what a copy would leave out",
        ),
        ("jaula build u --from debootstrap:noble --keyring /srv/keys/ubuntu.gpg", "another distribution"),
    ],
    exits: exit::BUILD,
    see: &["create", "start", "delete", "gc"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let from = given.from.take().ok_or(Fault::NoSource)?;
        Ok(Command::Build(Build {
            name,
            from,
            template: given.template.take(),
            fresh: given.fresh,
            mirrors: std::mem::take(&mut given.mirrors),
            variant: given.variant.take(),
            packages: std::mem::take(&mut given.packages),
            components: std::mem::take(&mut given.components),
            keyring: given.keyring.take(),
            settings: std::mem::take(&mut given.settings),
            start: given.start,
            dry_run: given.dry_run,
            verbose: given.verbose,
            json: given.json,
        }))
    }),
};
