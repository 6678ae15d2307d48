//! The options: each means the same wherever it stands.

use super::{Opt, Take, Words};
use crate::command::When;
use crate::given::{key_part, setting, variable};

const NUMBER: &str = "a number";
const VARIABLE: &str = "NAME=VALUE";

/// An option without value.
macro_rules! flag {
    ($name:ident, $long:literal, $short:expr, $help:expr, $set:expr) => {
        pub(crate) static $name: Opt =
            Opt { long: $long, short: $short, help: $help, take: Take::Flag($set) };
    };
}

/// An option with a value that can be any text.
macro_rules! value {
    ($name:ident, $long:literal, $value:literal, $words:expr, $help:expr, $put:expr) => {
        value!($name, $long, None, $value, $words, $help, |given, value| {
            $put(given, value);
            Ok(())
        });
    };
    ($name:ident, $long:literal, $short:expr, $value:literal, $words:expr, $help:expr, $put:expr) => {
        pub(crate) static $name: Opt = Opt {
            long: $long,
            short: $short,
            help: $help,
            take: Take::Value { name: $value, words: $words, put: $put },
        };
    };
}

/// The options of every verb, and those that may stand before it.
pub(crate) static GLOBAL: &[&Opt] = &[&QUIET, &COLOR, &HELP, &VERSION];

/// What `run` and `create` share: the configuration of the new jail.
pub(crate) static RUN: &[&Opt] = &[
    &ROOT, &APP, &FILE, &MOUNT, &EPHEMERAL, &NETWORK, &IP, &FORWARD, &PROFILE, &USER, &DIRECTORY, &ENV,
    &HOSTNAME, &SET, &CONFIG, &NAME, &TTY, &NO_TTY, &DRY_RUN, &JSON_PLAN,
];
/// See [`RUN`].
pub(crate) static CREATE: &[&Opt] = &[
    &ROOT,
    &ROOT_FROM,
    &APP,
    &FILE,
    &MOUNT,
    &NETWORK,
    &IP,
    &FORWARD,
    &PROFILE,
    &USER,
    &DIRECTORY,
    &ENV,
    &HOSTNAME,
    &SET,
    &CONFIG,
    &TRACED,
    &FOR,
    &UNTIL_READY,
    &YES,
    &START,
    &DRY_RUN,
    &JSON_PLAN,
];

/// Those of `build`.
pub(crate) static BUILD: &[&Opt] = &[
    &FROM,
    &STORE,
    &SIZE,
    &TEMPLATE,
    &FRESH,
    &PACKAGES,
    &VARIANT,
    &MIRROR,
    &COMPONENTS,
    &KEYRING,
    &HOSTNAME,
    &NETWORK,
    &IP,
    &FORWARD,
    &SET,
    &START,
    &VERBOSE,
    &DRY_RUN_BUILD,
    &JSON,
];

/// Those of `template make`.
pub(crate) static TEMPLATE_MAKE: &[&Opt] =
    &[&FROM, &FRESH, &PACKAGES, &VARIANT, &MIRROR, &COMPONENTS, &KEYRING, &VERBOSE, &JSON];

/// Those of `import`.
pub(crate) static IMPORT: &[&Opt] = &[&IMPORT_NAME, &STORE, &SIZE, &SET, &DIGEST, &LIMIT, &JSON];

/// Those of `template import`.
pub(crate) static TEMPLATE_IMPORT: &[&Opt] = &[&DIGEST, &LIMIT, &JSON];

/// Those of `trace`: the program's user, network and surroundings, and for how long.
pub(crate) static TRACE: &[&Opt] = &[
    &FOR,
    &UNTIL_READY,
    &OUTPUT,
    &INTO,
    &TAKE,
    &STRICT,
    &EXPLAIN,
    &NETWORK,
    &USER,
    &DIRECTORY,
    &ENV,
    &SET,
    &TTY,
    &NO_TTY,
    &JSON,
];

flag!(QUIET, "quiet", Some('q'), "Print results and errors only.", |given| given.quiet = true);
value!(
    COLOR,
    "color",
    None,
    "WHEN",
    Words::OneOf(&["auto", "always", "never"]),
    "Colour the output: `auto` (on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`), `always` or \
     `never`.",
    |given, when| {
        given.color = match when.as_str() {
            "always" => When::Always,
            "never" => When::Never,
            _ => When::Auto,
        };
        Ok(())
    }
);
flag!(HELP, "help", Some('h'), "Print help and do nothing else.", |given| given.help = true);
flag!(VERSION, "version", Some('V'), "Print the version and do nothing else.", |given| given.version = true);

value!(
    ROOT,
    "root",
    "SPEC",
    Words::RootSpec,
    "Where the files come from: `dir:PATH` (a directory tree), `app:PROGRAM` (one program of the host with \
     what it needs) or `host` (the host's own files). The key `root.from`.",
    |given: &mut crate::given::Given, spec| given.set("root.from", spec)
);
value!(
    ROOT_FROM,
    "from",
    "SPEC",
    Words::RootSpec,
    "The same as `--root`; `template:NAME` makes a virtual server on a template, as `jaula build` does.",
    |given: &mut crate::given::Given, spec| given.set("root.from", spec)
);
value!(
    APP,
    "app",
    "PROGRAM",
    Words::Files,
    "Make the root of this program of the host and what it needs: libraries, plugins, configuration. Short \
     for `--root app:PROGRAM`. Without CMD the program itself is run.",
    |given: &mut crate::given::Given, program| given.set("root.from", format!("app:{program}"))
);
value!(
    FILE,
    "file",
    "PATH",
    Words::Files,
    "Put this file of the host, or this directory with all below it, into an app jail as well. May be \
     repeated. The key `root.files`.",
    |given: &mut crate::given::Given, path| given.add("root.files", path)
);
value!(
    MOUNT,
    "mount",
    "SPEC",
    Words::Files,
    "Mount something more: `SOURCE:TARGET[:OPTION,…]` or `tmpfs:TARGET[:OPTION,…]`, read-only unless `rw` is \
     among the options. May be repeated. The key `mounts`.",
    |given: &mut crate::given::Given, spec| given.add("mounts", spec)
);
flag!(
    EPHEMERAL,
    "ephemeral",
    None,
    "Keep what is written to the root in memory and forget it at the end. Short for \
     `--set root.writes=discarded`.",
    |given| given.set("root.writes", "discarded".to_owned())
);
value!(
    NETWORK,
    "network",
    None,
    "MODE",
    Words::OneOf(&["none", "host", "bind", "routed", "bridge", "macvlan"]),
    "Whose network the jail has: `none` (loopback only, the default), `host` (the host's), `bind` (the \
     host's, with the addresses of `--ip` only), or its own, to which the host routes those addresses \
     (`routed`), or which is on a bridge (`bridge`) or interface (`macvlan`) of the host. The key \
     `network.mode`.",
    |given, mode| {
        given.set("network.mode", mode);
        Ok(())
    }
);
value!(
    IP,
    "ip",
    None,
    "ADDRESS",
    Words::Anything,
    "An address of the jail: `ADDRESS`, or `'ADDRESS/BITS dev INTERFACE'` for one that the host has only \
     while the jail runs. Several may be given. Without `--network` the mode is `bind`: it is an address \
     of the host. The key `network.addresses`.",
    |given, address| {
        if !given.settings.iter().any(|setting| setting.key == "network.mode") {
            given.set("network.mode", "bind".to_owned());
        }
        given.add("network.addresses", address);
        Ok(())
    }
);
value!(
    BIND_IP,
    "ip",
    None,
    "ADDRESS",
    Words::Anything,
    "An address of the host that the command has. Several may be given; the first of a family is what \
     \"any address\" becomes. Without any it has no network.",
    |given, address| {
        given.addresses.push(address);
        Ok(())
    }
);
value!(
    FORWARD,
    "forward",
    None,
    "SPEC",
    Words::Anything,
    "Forward ports of the host to a jail with a network of its own: `'tcp 8080 -> 80'`, `'udp 53'`. May be \
     repeated. The key `network.forward`.",
    |given, spec| {
        given.add("network.forward", spec);
        Ok(())
    }
);
value!(
    PROFILE,
    "profile",
    None,
    "PROFILE",
    Words::OneOf(&["app", "strict", "server"]),
    "What the jail may do: `app` (refuses what programs do not need), `strict` (a list of what one program \
     needs) or `server` (lets a distribution's own init work). The key `security.profile`.",
    |given, profile| {
        given.set("security.profile", profile);
        Ok(())
    }
);
value!(
    USER,
    "user",
    "USER",
    Words::Users,
    "Run as this user of the jail: a name, `USER:GROUP`, or numbers; root by default. The key `boot.user`.",
    |given: &mut crate::given::Given, user| given.set("boot.user", user)
);
value!(
    DIRECTORY,
    "directory",
    "DIR",
    Words::Anything,
    "Begin in this directory of the jail; `/` by default. The key `boot.directory`.",
    |given: &mut crate::given::Given, directory| given.set("boot.directory", directory)
);
value!(
    ENV,
    "env",
    None,
    "NAME=VALUE",
    Words::Anything,
    "Set a variable of the environment. May be repeated. The table `environment`.",
    |given, text| {
        let (name, value) = variable(&text).ok_or(VARIABLE)?;
        given.set(&format!("environment.{}", key_part(&name)), value);
        Ok(())
    }
);
value!(
    HOSTNAME,
    "hostname",
    "HOSTNAME",
    Words::Anything,
    "What `hostname` prints inside; the jail's name by default. The key `hostname`.",
    |given: &mut crate::given::Given, hostname| given.set("hostname", hostname)
);
value!(
    SET,
    "set",
    None,
    "KEY=VALUE",
    Words::Assignment,
    "Set any key of the configuration, as `jaula set` does: `KEY=VALUE`, `KEY+=VALUE`, `KEY-=VALUE` or \
     `KEY=`. May be repeated.",
    |given, text| {
        given.settings.push(setting(&text).ok_or("KEY=VALUE, KEY+=VALUE, KEY-=VALUE or KEY=")?);
        Ok(())
    }
);
value!(
    NAME,
    "name",
    "NAME",
    Words::Anything,
    "What the jail is called while it runs; made up by default.",
    |given: &mut crate::given::Given, name| given.name = Some(name)
);
flag!(
    TTY,
    "tty",
    None,
    "Give the command a terminal of its own, even if jaula has none. By default it gets one if jaula's own \
     input and output are a terminal.",
    |given| given.tty = Some(true)
);
flag!(NO_TTY, "no-tty", None, "Give the command no terminal.", |given| given.tty = Some(false));
flag!(
    DRY_RUN,
    "dry-run",
    None,
    "Print the plan, all that would be done to the host and in the jail, and do nothing.",
    |given| given.dry_run = true
);
flag!(JSON_PLAN, "json", None, "With `--dry-run`: print the plan as JSON.", |given| given.json = true);
value!(
    FOR,
    "for",
    None,
    "SPAN",
    Words::Anything,
    "Watch for this long at most: `30s`, `5m`. Then the program is told to end.",
    |given, text| {
        given.time = Some(text.parse().map_err(|_| "a time such as 250ms, 30s, 5m")?);
        Ok(())
    }
);
flag!(
    UNTIL_READY,
    "until-ready",
    None,
    "Watch until the program waits for connections or says that it is ready (sd_notify(3)), and then opens \
     nothing new for a second; a minute at most, unless `--for` says otherwise.",
    |given| given.until_ready = true
);
value!(
    OUTPUT,
    "output",
    Some('o'),
    "FILE",
    Words::Files,
    "Write what the program needs to this file, as the configuration of a jail. A file that a trace has \
     made before gets what is new; any other is refused.",
    |given, path| {
        given.output = Some(path.into());
        Ok(())
    }
);
value!(
    INTO,
    "into",
    None,
    "NAME",
    Words::Jails,
    "Add what is new to the configuration of this jail.",
    |given, name| {
        given.into = Some(name);
        Ok(())
    }
);
value!(
    TAKE,
    "file",
    "PATH",
    Words::Files,
    "Take this file, or this directory with all below it, whatever it is: secrets have to be named. May be \
     repeated.",
    |given: &mut crate::given::Given, path| given.add("root.files", path)
);
flag!(STRICT, "strict", None, "For profile `strict`: list the system calls as well.", |given| given.strict =
    true);
flag!(EXPLAIN, "explain", Some('v'), "Print each entry with its reason, and what was left out.", |given| {
    given.explain = true
});
value!(
    CONFIG,
    "config",
    "FILE",
    Words::Files,
    "Begin with this configuration, such as `jaula trace -o FILE` writes. Other options are on top of it.",
    |given: &mut crate::given::Given, path| given.config = Some(path)
);
value!(
    TRACED,
    "trace",
    "ARGS",
    Words::Anything,
    "With `--app`: run the program with these arguments first, as `jaula trace` does, and put what it needs \
     into the jail, but for secrets. They are the jail's own arguments too, unless there is a CMD.",
    |given: &mut crate::given::Given, arguments| given.trace = Some(arguments)
);
value!(
    FROM,
    "from",
    "SPEC",
    Words::BuildSpec,
    "What the files are made from: `debootstrap:SUITE`, `template:NAME`, `oci:IMAGE`, `host`, `dir:PATH`, \
     `clone:JAIL` or `skeleton`.",
    |given: &mut crate::given::Given, spec| given.from = Some(spec)
);
value!(
    STORE,
    "store",
    None,
    "STORE",
    Words::OneOf(&["overlay", "dir", "image", "btrfs"]),
    "How the files are kept: `overlay` (what differs from a template, the default), `dir` (a directory of its own), \
     `image` (a file system in a file) or `btrfs` (a subvolume). The key `root.store`.",
    |given, store| {
        given.set("root.store", store);
        Ok(())
    }
);
value!(
    SIZE,
    "size",
    "SIZE",
    Words::Anything,
    "How much room the files may take: `6G`, or `6G:7G`, soft and hard. The key `root.size`.",
    |given: &mut crate::given::Given, size| given.set("root.size", size)
);
value!(
    TEMPLATE,
    "template",
    "NAME",
    Words::Anything,
    "What the template is called that is made on the way; by default `debian-13` and the like, and the jail's own \
     name for what is copied.",
    |given: &mut crate::given::Given, name| given.template = Some(name)
);
flag!(
    FRESH,
    "fresh",
    None,
    "Make the template anew, with today's packages, even if it is there. One that jails lie on is refused.",
    |given| given.fresh = true
);
value!(
    PACKAGES,
    "packages",
    "LIST",
    Words::Anything,
    "With `debootstrap:`, install these packages as well, separated by commas. May be repeated.",
    |given: &mut crate::given::Given, list: String| given.packages.extend(separated(&list))
);
value!(
    VARIANT,
    "variant",
    "VARIANT",
    Words::Anything,
    "With `debootstrap:`, install what the program has under this name (`minbase`, `buildd`, `standard`…) and, but \
     for `--packages`, nothing else.",
    |given: &mut crate::given::Given, variant| given.variant = Some(variant)
);
value!(
    MIRROR,
    "mirror",
    "URL",
    Words::Anything,
    "With `debootstrap:`, take the packages from here instead of the distribution's servers: an address or a whole \
     line of sources.list(5). May be repeated.",
    |given: &mut crate::given::Given, mirror| given.mirrors.push(mirror)
);
value!(
    COMPONENTS,
    "components",
    "LIST",
    Words::Anything,
    "With `debootstrap:`, use these parts of the archive, separated by commas: `main,contrib`.",
    |given: &mut crate::given::Given, list: String| given.components.extend(separated(&list))
);
value!(
    KEYRING,
    "keyring",
    "FILE",
    Words::Files,
    "With `debootstrap:`, the keys that the archive must be signed with.",
    |given: &mut crate::given::Given, path: String| given.keyring = Some(path.into())
);
flag!(VERBOSE, "verbose", Some('v'), "Print all that the programs print that do the work.", |given| given
    .verbose =
    true);
flag!(
    DRY_RUN_BUILD,
    "dry-run",
    None,
    "Print what would be made, what a copy of the host would leave out, and the configuration, and do nothing.",
    |given| given.dry_run = true
);
flag!(START, "start", None, "Start it as well.", |given| given.start = true);

flag!(ALL, "all", None, "Every jail.", |given| given.all = true);
flag!(JSON, "json", None, "Print JSON.", |given| given.json = true);
value!(
    TIMEOUT,
    "timeout",
    None,
    "SPAN",
    Words::Anything,
    "How long to wait before what still runs is killed: `250ms`, `30s`, `5m`; 0 kills at once. The key \
     `boot.stop_timeout` (10 s by default) otherwise.",
    |given, text| {
        given.timeout = Some(text.parse().map_err(|_| "a time such as 250ms, 30s, 5m")?);
        Ok(())
    }
);
value!(
    EXEC_USER,
    "user",
    "USER",
    Words::Users,
    "Run as this user of the jail: a name, `USER:GROUP`, or numbers; root by default.",
    |given: &mut crate::given::Given, user| given.user = Some(user)
);
value!(
    EXEC_DIRECTORY,
    "directory",
    "DIR",
    Words::Anything,
    "Begin in this directory of the jail; `boot.directory` by default.",
    |given: &mut crate::given::Given, directory| given.directory = Some(directory)
);
value!(
    EXEC_CWD,
    "cwd",
    "DIR",
    Words::Anything,
    "The same as `--directory`.",
    |given: &mut crate::given::Given, directory| given.directory = Some(directory)
);
value!(
    EXEC_ENV,
    "env",
    None,
    "NAME=VALUE",
    Words::Anything,
    "Set a variable of the environment, on top of the jail's. May be repeated.",
    |given, text| {
        given.environment.push(variable(&text).ok_or(VARIABLE)?);
        Ok(())
    }
);
flag!(
    DISK,
    "disk",
    None,
    "Tell how much room each jail's own files take, and the most that they may, where that is known without a \
     look at every file: with a limit, in an image, on a btrfs that counts.",
    |given| given.disk = true
);
flag!(NAMES_ONLY, "quiet", Some('q'), "Print names only, one a line.", |given| given.quiet = true);
flag!(
    FOLLOW,
    "follow",
    Some('f'),
    "Go on printing what comes until the jail stops or you interrupt it.",
    |given| given.follow = true
);
value!(LINES, "lines", Some('n'), "N", Words::Anything, "Print the last N lines only.", |given, text| {
    given.lines = Some(text.parse().map_err(|_| NUMBER)?);
    Ok(())
});
flag!(
    EFFECTIVE,
    "effective",
    None,
    "Print every key with the value that holds, defaults included, not only what the file says.",
    |given| given.effective = true
);
flag!(
    FULL,
    "full",
    None,
    "Print the checks that hold as well, and for each that does not what lowers it.",
    |given| given.full = true
);
value!(
    THRESHOLD,
    "threshold",
    None,
    "SCORE",
    Words::Anything,
    "Exit with 1 if a score is above this one, such as `3.0`.",
    |given, text| {
        given.threshold = Some(tenths(&text).ok_or("a score from 0.0 to 10.0")?);
        Ok(())
    }
);
value!(
    BOOT_TIMEOUT,
    "timeout",
    None,
    "SPAN",
    Words::Anything,
    "How long all of it may take: `90s`, `10m` (the default). What is not ready by then is given up, but not \
     stopped. Each jail has its own `boot.start_timeout` as well.",
    |given, text| {
        given.timeout = Some(text.parse().map_err(|_| "a time such as 250ms, 30s, 5m")?);
        Ok(())
    }
);
value!(
    SHUTDOWN_TIMEOUT,
    "timeout",
    None,
    "SPAN",
    Words::Anything,
    "How long all of it may take: `90s`, `5m` (the default). What still runs then is killed.",
    |given, text| {
        given.timeout = Some(text.parse().map_err(|_| "a time such as 250ms, 30s, 5m")?);
        Ok(())
    }
);
value!(
    NOTE,
    "note",
    None,
    "TEXT",
    Words::Anything,
    "A note of what it is for, as `jaula snapshot list` shows it.",
    |given: &mut crate::given::Given, text| {
        given.note = Some(text);
        Ok(())
    }
);
flag!(
    KEEP_CONFIG,
    "keep-config",
    None,
    "Leave the configuration as it is; only the files are put back.",
    |given| given.keep_config = true
);
flag!(
    DISCARD,
    "discard",
    None,
    "Throw away what is now, which is kept as a snapshot otherwise. It asks before it does.",
    |given| given.discard = true
);
flag!(
    NO_FREEZE,
    "no-freeze",
    None,
    "Let a jail that runs go on meanwhile. A file that changes while it is read is as a reader would have found it.",
    |given| given.no_freeze = true
);
flag!(RESTART, "restart", None, "Stop a jail that runs before, and start it again afterwards.", |given| {
    given.restart = true
});
flag!(
    RESCUE,
    "rescue",
    None,
    "Start nothing in them, so that they can be entered and repaired: with their files, without a network.",
    |given| given.rescue = true
);
flag!(DRY_RUN_BOOT, "dry-run", None, "Print the order and start nothing.", |given| given.dry_run = true);
flag!(YES, "yes", Some('y'), "Do not ask.", |given| given.yes = true);
flag!(FORCE, "force", None, "Stop a jail that runs, then delete it.", |given| given.force = true);
flag!(
    NO_RESTART,
    "no-restart",
    None,
    "Let jails that run go on with what they have, until they start again.",
    |given| given.no_restart = true
);
flag!(
    RETRACE,
    "trace",
    None,
    "First run the program of each jail until it is ready, as `jaula trace --until-ready` does, and add what it \
     needs by now to the jail's configuration; with `--dry-run`, print it.",
    |given| given.retrace = true
);
flag!(
    DRY_RUN_REFRESH,
    "dry-run",
    None,
    "Print what differs and what would be done, and do nothing.",
    |given| given.dry_run = true
);
flag!(FIX, "fix", None, "Set what jails need of the host, and print what was set.", |given| given.fix = true);
flag!(DRY_RUN_GC, "dry-run", None, "Print what would be removed and remove nothing.", |given| given
    .dry_run =
    true);

/// The members of a list.
fn separated(list: &str) -> impl Iterator<Item = String> {
    list.split([',', ' ']).filter(|member| !member.is_empty()).map(str::to_owned)
}

/// A score with at most one decimal, in tenths.
fn tenths(text: &str) -> Option<u32> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    let good = digits(whole) && digits(tenth) && tenth.len() == 1;
    let tenths =
        good.then(|| Some(whole.parse::<u32>().ok()? * 10 + tenth.parse::<u32>().ok()?)).flatten()?;
    (tenths <= 100).then_some(tenths)
}

value!(
    DIGEST,
    "digest",
    None,
    "sha256:HEX",
    Words::Anything,
    "Refuse an archive that has another digest. Without it, the digest in `FILE.sha256` is compared, if there is \
     such a file.",
    |given, text| {
        given.digest = Some(text);
        Ok(())
    }
);
value!(
    LIMIT,
    "limit",
    None,
    "SIZE",
    Words::Anything,
    "Refuse an archive that holds more: `2G`. Without it, what the disk has room for.",
    |given, text| {
        given.limit = Some(text);
        Ok(())
    }
);
value!(
    IMPORT_NAME,
    "name",
    None,
    "NAME",
    Words::Anything,
    "Call the jail so, and not as it was called.",
    |given, name| {
        given.name = Some(name);
        Ok(())
    }
);
