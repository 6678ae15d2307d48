//! `template …`: what virtual servers are made from.

use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb, Words};
use crate::command::{Build, Command, Template, TemplateImport};
use crate::exit;
use crate::usage::Fault;

const NEW: Operand = Operand {
    name: "NAME",
    count: Count::One,
    words: Words::Anything,
    help: "The new template's name: up to 63 letters, digits, `_`, `.` and `-`.",
};
const NAME: Operand =
    Operand { name: "NAME", count: Count::One, words: Words::Templates, help: "The template." };

pub(crate) static TEMPLATE: Verb = Verb {
    name: "template",
    group: Group::Change,
    summary: "Manage what virtual servers are made from",
    about: "A template is a whole root with all its files, which nothing changes any more. Any number of jails lie on \
            one, and each keeps only what it writes itself. `jaula build` makes them on the way.",
    see: &["build"],
    kind: Kind::Family(&[&MAKE, &LIST, &IMPORT, &EXPORT, &DELETE, &VERIFY]),
    ..VERB
};

static MAKE: Verb = Verb {
    name: "template make",
    group: Group::Change,
    summary: "Make a template",
    about: "Makes a template without a jail. SPEC is what `jaula build` takes: `debootstrap:SUITE`, `oci:IMAGE`, \
            `host`, `dir:PATH` or `skeleton`.",
    operands: &[NEW],
    options: opt::TEMPLATE_MAKE,
    examples: &[
        ("jaula template make debian-13 --from debootstrap:trixie", "a Debian 13"),
        (
            "jaula template make web --from oci:registry.example/web:2",
            "a container image, pulled from a registry",
        ),
        ("jaula template make web --from oci:./image.tar", "one that `docker save` wrote"),
    ],
    exits: exit::BUILD,
    see: &["build", "template import"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let from = given.from.take().ok_or(Fault::NoSource)?;
        Ok(Command::Template(Template::Make(Box::new(Build {
            name,
            from,
            template: None,
            fresh: given.fresh,
            mirrors: std::mem::take(&mut given.mirrors),
            variant: given.variant.take(),
            packages: std::mem::take(&mut given.packages),
            components: std::mem::take(&mut given.components),
            keyring: given.keyring.take(),
            settings: Vec::new(),
            start: false,
            dry_run: false,
            verbose: given.verbose,
            json: given.json,
        }))))
    }),
};

static LIST: Verb = Verb {
    name: "template list",
    group: Group::Change,
    summary: "List templates",
    about: "Prints the templates with their distribution, size, age, and the jails that lie on them. `--quiet` prints \
            names only.",
    options: &[&opt::JSON],
    examples: &[("jaula template list", "all of them"), ("jaula template list --json", "for programs")],
    exits: exit::PLAIN,
    see: &["list"],
    kind: Kind::Command(|given| {
        Ok(Command::Template(Template::List { json: given.json, names_only: given.quiet }))
    }),
    ..VERB
};

static IMPORT: Verb = Verb {
    name: "template import",
    group: Group::Change,
    summary: "Make a template of an archive",
    about: "Unpacks an archive of a whole root: `tar`, as it is or compressed with gzip, xz or zstd, which is told by \
            what it holds and not by its name. Owners, permissions, times, hard links, extended attributes, access \
            lists, capabilities and holes are kept; devices are left out, since each jail has its own. What leads out \
            of the tree, belongs to an id above 65535, or is there twice is refused, and nothing is left of it.",
    operands: &[
        NEW,
        Operand {
            name: "FILE",
            count: Count::Optional,
            words: Words::Files,
            help: "The archive; standard input if it is `-` or not given.",
        },
    ],
    options: opt::TEMPLATE_IMPORT,
    examples: &[
        ("jaula template import debian-13 debian-13.tar.zst", "an archive"),
        (
            "curl -sL https://example.org/alpine.tar.gz | jaula template import alpine",
            "without a file between",
        ),
    ],
    exits: exit::BUILD,
    see: &["template export", "template verify"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let file = given.take_file();
        let (digest, limit, json) = (given.digest.take(), given.limit.take(), given.json);
        Ok(Command::Template(Template::Import(TemplateImport { name, file, digest, limit, json })))
    }),
};

static EXPORT: Verb = Verb {
    name: "template export",
    group: Group::Change,
    summary: "Pack the files of a template",
    about: "Writes a `tar.zst` with all files of the template, which any tar reads. The same files give the same \
            archive. Beside a file its digest is written, `FILE.sha256`, as `sha256sum --check` takes it.",
    operands: &[
        NAME,
        Operand {
            name: "FILE",
            count: Count::Optional,
            words: Words::Files,
            help: "Where to, a new file; standard output if it is `-` or not given.",
        },
    ],
    options: &[&opt::JSON],
    examples: &[
        ("jaula template export debian-13 debian-13.tar.zst", "to a file"),
        ("jaula template export debian-13 | ssh other jaula template import debian-13", "to another host"),
    ],
    exits: exit::BUILD,
    see: &["template import"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let file = given.take_file();
        Ok(Command::Template(Template::Export { name, file, json: given.json }))
    }),
};

static DELETE: Verb = Verb {
    name: "template delete",
    group: Group::Change,
    summary: "Delete templates",
    about: "Deletes templates, after a question. One that a jail lies on is refused.",
    operands: &[Operand { count: Count::Many, ..NAME }],
    options: &[&opt::YES],
    examples: &[("jaula template delete debian-12", "after a question")],
    exits: exit::PLAIN,
    see: &["template list"],
    kind: Kind::Command(|mut given| {
        let names = given.take_words()?;
        Ok(Command::Template(Template::Delete { names, yes: given.yes }))
    }),
};

static VERIFY: Verb = Verb {
    name: "template verify",
    group: Group::Change,
    summary: "Compare templates with what they were made as",
    about: "Reads all files of the templates, or of all if none is named, and compares their kinds, owners, \
            permissions, contents and attributes with the list that was made when the template was, and that list \
            with its digest. What differs is printed.",
    operands: &[Operand { count: Count::Any, ..NAME }],
    options: &[&opt::JSON],
    examples: &[("jaula template verify", "all of them")],
    exits: exit::CHECK,
    see: &["template list"],
    kind: Kind::Command(|mut given| {
        let names = given.take_words()?;
        Ok(Command::Template(Template::Verify { names, json: given.json }))
    }),
};
