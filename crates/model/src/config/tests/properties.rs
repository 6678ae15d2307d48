//! What holds for any configuration, any settings and any text.

use super::WWW;
use crate::address::Address;
use crate::caps::Capability;
use crate::config::edit::{Operation, Setting, apply};
use crate::config::up::UpFile;
use crate::config::*;
use crate::forward::Nat;
use crate::link::Mac;
use crate::name::Id;
use crate::signal::Signal;
use crate::units::{Bytes, Count, Rate, Span};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A text without NUL, with what TOML has to escape.
fn text() -> impl Strategy<Value = String> + Clone {
    r#"([a-z]|[ \\'":,#=\[\]{}\n\r\t\x1b\x7fé]|''"""){0,12}"#
}

/// An absolute path as [`Config`] holds it.
fn path() -> impl Strategy<Value = PathBuf> + Clone {
    r#"(/[a-z][a-z \\'":,#é\n]{0,6}){1,3}"#.prop_map(PathBuf::from)
}

fn command() -> impl Strategy<Value = Vec<String>> {
    ("[a-z/]{1,9}", vec(text(), 0..3)).prop_map(|(program, rest)| [vec![program], rest].concat())
}

fn word(choices: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = &'static str> {
    select(choices).prop_map(|(word, _)| word)
}

/// Directories of which none lies in another.
fn writable() -> impl Strategy<Value = Vec<Writable>> {
    let owner = of(("[a-z]{1,8}", of("[1-9][0-9]{0,3}")));
    let one = (path(), owner, of(0u32..=0o3777)).prop_map(|(path, owner, mode)| {
        let (user, group) = owner.map_or((None, None), |(user, group)| (Some(user), group));
        Writable { path, user, group, mode }
    });
    vec(one, 0..3).prop_map(|all| {
        let beside =
            |a: &Writable, b: &Writable| !a.path.starts_with(&b.path) && !b.path.starts_with(&a.path);
        let mut some: Vec<Writable> = Vec::new();
        for one in all {
            if some.iter().all(|other| beside(&one, other)) && one.to_string().parse::<Writable>().is_ok() {
                some.push(one);
            }
        }
        some
    })
}

fn root() -> impl Strategy<Value = Root> {
    let from =
        prop_oneof![Just(RootSpec::Host), path().prop_map(RootSpec::Dir), path().prop_map(RootSpec::App)];
    let own = prop_oneof![
        "[a-z]{1,8}".prop_map(|name| RootSpec::Template(name.parse().unwrap())),
        "[a-z]{1,8}".prop_map(RootSpec::Debootstrap),
        "[a-z./:]{1,8}".prop_map(RootSpec::Oci),
        "[a-z]{1,8}".prop_map(|name| RootSpec::Clone(name.parse().unwrap())),
        Just(RootSpec::Skeleton)
    ];
    let limit = || (1u64..1 << 50, 0u64..1 << 50);
    let stored = (of(word(Store::CHOICES)), own, of(limit()), of(limit()));
    let kinds = (of(from), of(word(Writes::CHOICES)), of(word(Owners::CHOICES)), stored);
    let lists = (vec(path(), 0..3), writable(), vec("[a-z]{1,8}", 0..3), word(Method::CHOICES));
    (kinds, lists).prop_map(|((from, writes, owners, stored), (files, writable, users, method))| {
        let (store, own, size, inodes) = stored;
        let store: Option<Store> = store.map(|s| s.parse().unwrap());
        let from = match (store, from) {
            (Some(Store::Overlay), _) => Some(RootSpec::Template("x".parse().unwrap())),
            (Some(_), from) => from.filter(|from| !matches!(from, RootSpec::App(_))).or(Some(own)),
            (None, from) => from,
        };
        let app = matches!(from, Some(RootSpec::App(_)) | None);
        let room = u64::from(!matches!(store, Some(Store::Image | Store::Btrfs)));
        let owners = owners.filter(|owners| store.is_none() || *owners != "host");
        Root {
            store,
            size: size.map(|(soft, more)| Ceiling { soft: Bytes(soft), hard: Bytes(soft + room * more) }),
            inodes: inodes
                .filter(|_| store != Some(Store::Btrfs))
                .map(|(soft, more)| Ceiling { soft: Count(soft), hard: Count(soft + room * more) }),
            writes: writes.map(|w| w.parse().unwrap()),
            owners: owners.map(|w| w.parse().unwrap()),
            files: if app { files } else { vec![] },
            method: if app { method.parse().unwrap() } else { Method::Bind },
            users: if app { users } else { vec![] },
            writable: if app { writable } else { vec![] },
            from,
        }
    })
}

fn boot() -> impl Strategy<Value = Boot> {
    let ready = prop_oneof![
        Just(Ready::Auto),
        Just(Ready::Alive),
        Just(Ready::Notify),
        Just(Ready::Port("udp 53-54".parse().unwrap())),
        command().prop_map(Ready::Command)
    ];
    let span = || (0u64..1 << 40).prop_map(|ms| Span(Duration::from_millis(ms)));
    let what = (
        word(Init::CHOICES),
        1u8..6,
        prop_oneof![Just(vec![]), command()],
        of("[a-z]{1,8}(:[0-9]{1,4})?"),
        path(),
    );
    let stop = (of(select((1..31).collect::<Vec<i32>>())), of(span()), of(span()));
    let rest = (ready, word(Restart::CHOICES), 4096u64.., any::<u8>());
    let order = (any::<bool>(), of(any::<u16>()), vec("[a-z][a-z0-9.-]{0,9}", 0..3));
    (what, stop, rest, order).prop_map(
        |(
            (init, runlevel, command, user, directory),
            (signal, stop, start),
            (ready, restart, size, files),
            (autostart, order, depends),
        )| Boot {
            init: init.parse().unwrap(),
            runlevel,
            command,
            user,
            directory,
            stop_signal: signal.map(|n| Signal::from_number(n).unwrap().to_string()),
            stop_timeout: stop,
            ready,
            start_timeout: start,
            restart: restart.parse().unwrap(),
            log_size: Bytes(size),
            log_files: files,
            autostart,
            order,
            depends: depends.iter().map(|name| name.parse().unwrap()).collect(),
        },
    )
}

fn guest() -> impl Strategy<Value = (Guest, Option<Vec<Nameserver>>)> {
    let server =
        prop_oneof![Just(Nameserver::Inherit), any::<std::net::IpAddr>().prop_map(Nameserver::Address)];
    (any::<bool>(), vec(path(), 0..3), of(vec(server, 0..3)))
        .prop_map(|(manage, keep, servers)| (Guest { manage, keep }, servers))
}

fn change<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Vec<Change<T>>> {
    let most = all.len().min(3);
    (subsequence(all, 0..=most), any::<bool>()).prop_map(|(some, add)| {
        some.into_iter().map(|one| if add { Change::Add(one) } else { Change::Remove(one) }).collect()
    })
}

fn capabilities() -> impl Strategy<Value = Vec<CapabilityChange>> {
    (change(Capability::all().collect()), any::<bool>()).prop_map(|(changes, none)| {
        let changes = changes.into_iter().map(|change| match change {
            Change::Add(cap) => CapabilityChange::Add(cap),
            Change::Remove(cap) => CapabilityChange::Remove(cap),
        });
        none.then_some(CapabilityChange::RemoveAll).into_iter().chain(changes).collect()
    })
}

fn security() -> impl Strategy<Value = Security> {
    let some = |words: &'static [&'static str]| {
        let owned: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        of(subsequence(owned, 0..=words.len()))
    };
    let sets = (
        capabilities(),
        change(["mount", "bpf", "personality"].map(str::to_owned).to_vec()),
        some(SOCKET_FAMILIES),
        some(DEVICES),
        vec(path(), 0..3),
    );
    let flags = (of(any::<bool>()), of(any::<bool>()), of(any::<bool>()), of(any::<bool>()), any::<bool>());
    (word(Profile::CHOICES), sets, flags).prop_map(
        |(
            profile,
            (capabilities, system_calls, socket_families, devices, hide),
            (a, b, proc, sys, nesting),
        )| {
            Security {
                profile: profile.parse().unwrap(),
                capabilities,
                system_calls,
                no_new_privileges: a,
                set_hostname: b,
                sysvipc: a,
                mount: b.filter(|b| !b),
                raw_sockets: a.filter(|a| !a),
                socket_families,
                nesting,
                proc,
                sys,
                devices,
                hide,
            }
        },
    )
}

fn mounts() -> impl Strategy<Value = Vec<Mount>> {
    let source = prop_oneof![
        (path(), any::<bool>()).prop_map(|(path, mapped)| MountSource::Bind { path, mapped }),
        (any::<u64>(), 0u32..0o10000).prop_map(|(size, mode)| MountSource::Tmpfs { size: Bytes(size), mode }),
    ];
    let mount = (source, any::<bool>(), any::<bool>());
    btree_map(path(), mount, 0..3).prop_map(|mounts| {
        let mounts = mounts.into_iter().filter(|(target, _)| target.as_os_str() != "/proc");
        mounts
            .map(|(target, (source, writable, exec))| Mount {
                writable: writable || matches!(source, MountSource::Tmpfs { .. }),
                source,
                target,
                exec,
            })
            .collect()
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let limit = (of(any::<u64>()), of(any::<u64>()))
        .prop_map(|(a, b)| if b.is_some_and(|b| a.is_none_or(|a| a > b)) { (b, a) } else { (a, b) });
    let names: Vec<String> = PROCESS_LIMITS.iter().map(|n| (*n).to_owned()).collect();
    let account: Vec<String> = ACCOUNTED.iter().map(|n| (*n).to_owned()).collect();
    (subsequence(account, 0..3), btree_map(select(names), limit, 0..4))
        .prop_map(|(account, process)| Limits { account, process })
}

/// Addresses that this mode can have.
fn addresses(mode: NetworkMode) -> impl Strategy<Value = Vec<Address>> {
    use NetworkMode::{Bind, Bridge, Host, Macvlan, None, Routed};
    btree_set((1u8..255, any::<bool>(), 20u8..=30, any::<bool>()), 0..4).prop_map(move |all| {
        let mut seen = BTreeSet::new();
        let all = all.into_iter().filter(|(n, v4, ..)| seen.insert((*n, *v4)));
        let address = all.map(|(n, v4, prefix, device)| Address {
            ip: match v4 {
                true => IpAddr::from([10, 1, 2, n]),
                false => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()]),
            },
            device: (device && matches!(mode, Bind | Routed)).then(|| "eth0".to_owned()),
            prefix: match (mode, device) {
                (Bridge | Macvlan, _) | (Bind | Routed, true) => Some(prefix),
                _ => Option::None,
            },
        });
        let good = |address: &Address| address.to_string().parse::<Address>().is_ok();
        if matches!(mode, None | Host) { vec![] } else { address.filter(good).collect() }
    })
}

fn network() -> impl Strategy<Value = Network> {
    let link = (of("[a-z]{1,8}"), of("[a-z]{1,8}[0-9]"), of(any::<[u8; 5]>()), of(1280u16..), any::<bool>());
    let forward = "(tcp|udp) (192\\.0\\.2\\.1:)?[1-9][0-9]{0,3}( -> [1-9][0-9]{0,3})?";
    let nat = select(vec!["auto", "none", "masquerade", "192.0.2.1"]);
    let rate = || of((8000u64..=1_000_000_000_000).prop_map(Rate));
    let way = (nat, of(forward), rate(), rate(), of(any::<u64>()), any::<bool>());
    let listen = of(vec("(tcp|udp) [1-9][0-9]{0,3}(-[1-5][0-9]{4})?", 0..3));
    let mode = word(NetworkMode::CHOICES).prop_map(|word| word.parse::<NetworkMode>().unwrap());
    (mode.prop_flat_map(|mode| (Just(mode), addresses(mode))), link, way, listen).prop_map(
        |((mode, addresses), link, (nat, forward, inward, outward, connections, guard), listen)| {
            let (parent, interface, mac, mtu, asks) = link;
            let (leads, passes) = (mode.has_link(), mode.passes_host());
            let has_parent = matches!(mode, NetworkMode::Bridge | NetworkMode::Macvlan);
            let rated = mode != NetworkMode::None;
            Network {
                mode,
                addresses,
                dhcp: asks && has_parent,
                parent: parent.filter(|_| has_parent),
                interface: interface.filter(|_| leads),
                gateway: if asks && has_parent { vec![IpAddr::from([192, 0, 2, 1])] } else { vec![] },
                mac: mac.filter(|_| leads).map(|[a, b, c, d, e]| Mac([2, a, b, c, d, e])),
                mtu: mtu.filter(|_| leads),
                nat: if passes { nat.parse().unwrap() } else { Nat::Auto },
                forward: forward.filter(|_| passes).iter().map(|one| one.parse().unwrap()).collect(),
                rate: Rates { inward: inward.filter(|_| rated), outward: outward.filter(|_| rated) },
                connections: connections.filter(|_| passes).map(Count),
                guard: guard || !passes,
                probe: guard || matches!(mode, NetworkMode::None | NetworkMode::Host),
                listen: listen.map(|ports| ports.iter().map(|port| port.parse().unwrap()).collect()),
                nameservers: None,
            }
        },
    )
}

prop_compose! {
    fn config()(
        id in of(1..Id::MAX),
        hostname in of("[a-z]([a-z0-9-]{0,20}[a-z])?(\\.[a-z]{1,9}){0,2}"),
        declared_in in of(path()),
        root in root(),
        boot in boot(),
        network in network(),
        security in security(),
        limits in limits(),
        mounts in mounts(),
        environment in btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", text(), 0..4),
        (guest, nameservers) in guest(),
    ) -> Config {
        let (id, network) = (id.map(|id| Id::new(id).unwrap()), Network { nameservers, ..network });
        Config { id, hostname, declared_in, root, boot, network, security, limits, guest, mounts, environment }
    }
}

/// A setting of any key that exists, with a value that may be good.
fn setting() -> impl Strategy<Value = Setting> {
    let operation = select(vec![Operation::Set, Operation::Add, Operation::Remove, Operation::Unset]);
    let keys: Vec<&'static keys::Key> = keys::all().collect();
    (select(keys), operation, of(text())).prop_map(|(key, operation, other)| match key.shape {
        keys::Shape::Table { .. } => {
            let name = if key.path == "environment" { "LANG" } else { "core" };
            let value = other.unwrap_or_else(|| "7".to_owned());
            Setting { key: format!("{}.{name}", key.path), operation, value }
        }
        _ => {
            let value = other.unwrap_or_else(|| key.example.to_owned());
            Setting { key: key.path.to_owned(), operation, value }
        }
    })
}

/// The comments of a text, but for those of one that has `#` elsewhere.
fn comments(text: &str) -> Vec<&str> {
    let mut comments: Vec<&str> =
        text.lines().filter_map(|l| Some(&l[l.find('#')?..])).map(str::trim_end).collect();
    comments.sort_unstable();
    comments
}

/// A file with some keys, every section in a style of its own, comments and blank lines
/// strewn in, and one more setting.
fn any_layout() -> impl Strategy<Value = (String, &'static keys::Key)> {
    // Without those that contradict others.
    let contradict = ["root.files", "root.method", "root.store", "root.users", "root.writable"];
    let keys: Vec<&'static keys::Key> = keys::all().filter(|key| !contradict.contains(&key.path)).collect();
    let some = subsequence(keys.clone(), 0..12);
    let noise = vec(select(vec!["", "", "\n", "# note\n", "\n# note\n\n", "  "]), 60);
    let plain = keys.iter().copied().filter(|key| !matches!(key.shape, keys::Shape::Table { .. }));
    let key = select(plain.collect::<Vec<_>>());
    (some, vec(0..4, 6), noise, any::<bool>(), any::<bool>(), key).prop_map(
        |(some, styles, noise, windows, newline, key)| {
            let mut noise = noise.into_iter();
            let (mut top, mut tables) = (String::new(), Vec::new());
            for (section, style) in keys::SECTIONS.iter().zip(styles) {
                let given = section.keys.iter().filter(|key| some.iter().any(|k| k.path == key.path));
                let given: Vec<_> = given.map(|key| (key.name(), key.path, key.example)).collect();
                let mut next = || noise.next().unwrap_or_default();
                if section.name.is_empty() || style == 1 {
                    top.extend(
                        given.iter().map(|(_, path, value)| format!("{}{path} = {value} # said\n", next())),
                    );
                } else if style == 2 {
                    let inner: Vec<String> =
                        given.iter().map(|(name, _, value)| format!("{name} = {value}")).collect();
                    top += &format!("{}{} = {{ {} }}\n", next(), section.name, inner.join(", "));
                } else {
                    let mut table = format!("{}[{}] # table\n", next(), section.name);
                    table
                        .extend(given.iter().map(|(name, _, value)| format!("{}{name} = {value}\n", next())));
                    if style == 0 { tables.push(table) } else { tables.insert(0, table) }
                }
            }
            let text = (top + &tables.concat()).trim_end_matches(|c| c == '\n' && !newline).to_owned();
            (if windows { text.replace('\n', "\r\n") } else { text }, key)
        },
    )
}

/// TOML's own characters, words of the table, and anything.
fn nearly_toml() -> impl Strategy<Value = String> {
    let words: Vec<&'static str> = keys::all()
        .flat_map(|key| [key.path, key.name(), key.example])
        .chain(keys::SECTIONS.iter().map(|section| section.name))
        .collect();
    let piece = prop_oneof![
        select(words).prop_map(str::to_owned),
        "[\\[\\]{}=.,#\"'\\\\\n 0-9]{1,3}",
        "\n\\[[a-z.]{1,9}\\]\n",
        any::<String>(),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_configuration_comes_back_from_its_text(config in config()) {
        let text = config.to_text();
        match Config::parse(&text) {
            Ok(back) => prop_assert_eq!(back, config, "{}", text),
            Err(problems) => prop_assert!(false, "{}\n{}", text, problems.in_file("x")),
        }
    }

    #[test]
    fn settings_say_the_same_twice(settings in vec(setting(), 0..4), config in config(), from_www: bool) {
        let text = if from_www { WWW.to_owned() } else { config.to_text() };
        if let Ok(once) = apply(&text, &settings) {
            let wanted = Config::parse(&once);
            prop_assert!(wanted.is_ok());
            let again = apply(&once, &settings);
            // What one setting does, a later one may undo: only the whole is the same again.
            prop_assert_eq!(again.map(|t| Config::parse(&t)), Ok(wanted), "{}", once);
        }
    }

    #[test]
    fn settings_alone_say_what_a_file_of_them_does(settings in vec(setting(), 0..5)) {
        let set = |setting| Setting { operation: Operation::Set, ..setting };
        let settings: Vec<Setting> = settings.into_iter().map(set).collect();
        let file = apply("", &settings).map(|text| Config::parse(&text).unwrap());
        // What is wrong with a file is told in the order of its lines, which settings do not have.
        let told = |problems: Problems| problems.iter().map(|p| p.message.clone()).collect::<BTreeSet<_>>();
        prop_assert_eq!(Config::from_settings(&settings).map_err(told), file.map_err(told));
    }

    #[test]
    fn one_setting_twice_changes_no_byte(setting in setting()) {
        if let Ok(once) = apply(WWW, std::slice::from_ref(&setting)) {
            prop_assert_eq!(apply(&once, &[setting]), Ok(once));
        }
    }

    #[test]
    fn comments_are_kept(settings in vec(setting(), 0..4)) {
        // Comments inside a value go with it.
        let inside = |s: &Setting| s.key == "mounts" && matches!(s.operation, Operation::Set | Operation::Unset);
        let plain = |s: &Setting| !s.value.contains(['#', '\n', '\r']) && !inside(s);
        if settings.iter().all(plain) && let Ok(edited) = apply(WWW, &settings) {
            prop_assert_eq!(comments(&edited), comments(WWW), "{}", edited);
        }
    }

    #[test]
    fn an_edit_changes_one_key_in_any_layout((text, key) in any_layout()) {
        let before = Config::parse(&text);
        let before = before.map_err(|p| TestCaseError::fail(format!("{text}
{}", p.in_file("x"))))?;
        let setting = |operation| Setting { key: key.path.to_owned(), operation, value: key.example.to_owned() };
        let set = apply(&text, &[setting(Operation::Set)]);
        let set = set.map_err(|p| TestCaseError::fail(format!("{text}\n+ {}\n{p}", key.path)))?;
        let unset = apply(&set, &[setting(Operation::Unset)]);
        let unset = unset.map_err(|p| TestCaseError::fail(format!("{set}\n- {}\n{p}", key.path)))?;
        let wanted = Config::parse(&format!("{} = {}", key.path, key.example)).unwrap();
        for (edited, wanted) in [(&set, &wanted), (&unset, &Config::default())] {
            let after = Config::parse(edited).unwrap();
            for other in keys::all() {
                let from = if other.path == key.path { wanted } else { &before };
                let (got, from) = (other.written(&after), other.written(from));
                prop_assert_eq!(got, from, "{}: {}\n{}", other.path, text, edited);
            }
            prop_assert_eq!(comments(edited), comments(&text));
            prop_assert_eq!(text.contains("\r\n") && edited.replace("\r\n", "").contains('\n'), false);
        }
    }

    #[test]
    fn a_setting_says_what_it_says(key in select(keys::all().map(|k| k.path).collect::<Vec<_>>())) {
        let (key, _) = keys::find(key).unwrap();
        if !matches!(key.shape, keys::Shape::Table { .. }) {
            let (path, value) = (key.path.to_owned(), key.example.to_owned());
            let setting = Setting { key: path, operation: Operation::Set, value };
            let config = Config::from_settings(&[setting]).unwrap();
            prop_assert_eq!(config, Config::parse(&format!("{} = {}", key.path, key.example)).unwrap());
        }
    }

    #[test]
    fn no_text_panics(text in nearly_toml(), any in any::<String>(), settings in vec(setting(), 0..3)) {
        for text in [text, any] {
            match Config::parse(&text) {
                Ok(config) => prop_assert_eq!(Config::parse(&config.to_text()), Ok(config)),
                Err(problems) => prop_assert!(!problems.in_file("x").to_string().is_empty()),
            }
            let _ = (apply(&text, &settings), UpFile::parse(&text, "/base".as_ref()));
            let setting = Setting { key: text.clone(), operation: Operation::Set, value: text };
            let _ = Config::from_settings(&[setting]);
        }
    }
}
