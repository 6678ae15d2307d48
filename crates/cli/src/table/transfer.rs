//! `export` and `import`: jails as archives.

use super::operate::NAME;
use super::options as opt;
use super::{Count, Group, Kind, Operand, Verb, Words};
use crate::command::{Command, Export, Import};
use crate::exit;

pub(crate) static EXPORT: Verb = Verb {
    name: "export",
    group: Group::Change,
    summary: "Pack a jail with all its files into an archive",
    about: "Writes a `tar.zst` with the configuration of a jail that has files of its own (`root.store`), and with the \
            files as the jail sees them, whatever they are kept in. One that runs is frozen while what it keeps is \
            copied beside it: the archive is of one moment, and the jail goes on before it is packed. Where the file \
            system can share blocks (btrfs, XFS) that takes milliseconds and no room. Without room for the copy it \
            stays frozen until all is packed. Sockets and devices are left out, and mounts are not entered. Beside a file its digest is written, `FILE.sha256`, as `sha256sum --check` takes it.",
    operands: &[
        NAME,
        Operand {
            name: "FILE",
            count: Count::Optional,
            words: Words::Files,
            help: "Where to, a new file; standard output if it is `-` or not given.",
        },
    ],
    options: &[&opt::NO_FREEZE, &opt::JSON],
    examples: &[
        ("jaula export web /backup/web.tar.zst", "to a file"),
        ("jaula export web | ssh other jaula import", "to another host"),
    ],
    exits: exit::BUILD,
    see: &["import", "template export"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let file = given.take_file();
        Ok(Command::Export(Export { name, file, no_freeze: given.no_freeze, json: given.json }))
    }),
};

pub(crate) static IMPORT: Verb = Verb {
    name: "import",
    group: Group::Change,
    summary: "Make a jail of an archive that export wrote",
    about: "Makes a jail of an archive of `jaula export`, under its old name or another, and does not start it. A name \
            of which there is a jail is refused; a number that another jail has is replaced by a free one. With \
            `root.store = \"overlay\"` the files become a template of the jail's name, which it lies on. Look at the \
            configuration of an archive that is not yours before you start it: `jaula config show NAME`.",
    operands: &[Operand {
        name: "FILE",
        count: Count::Optional,
        words: Words::Files,
        help: "The archive; standard input if it is `-` or not given.",
    }],
    options: opt::IMPORT,
    examples: &[
        ("jaula import /backup/web.tar.zst", "as it was"),
        ("jaula import /backup/web.tar.zst --name web2 --store dir", "beside the old one, in a directory"),
    ],
    exits: exit::BUILD,
    see: &["export", "start"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Import(Import {
            file: given.take_file(),
            name: given.name.take(),
            digest: given.digest.take(),
            limit: given.limit.take(),
            settings: std::mem::take(&mut given.settings),
            json: given.json,
        }))
    }),
};
