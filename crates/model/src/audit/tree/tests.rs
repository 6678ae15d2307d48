use super::*;

fn entry(path: &Path, mode: u32) -> Entry<'_> {
    Entry {
        path,
        kind: Kind::File,
        mode,
        user: Some(0),
        group: Some(0),
        size: 9,
        mount: Mount::default(),
        capable: false,
        key: false,
    }
}

fn noted(entry: &Entry<'_>, who: &Who) -> Vec<Trait> {
    let mut tree = Tree::default();
    tree.note(entry, who);
    tree.found.into_keys().collect()
}

#[test]
fn permissions_decide_by_the_first_class_that_fits() {
    let path = Path::new("/x");
    let who = |user, groups: &[u32], overrides| Who { user, groups: groups.to_vec(), overrides };
    for (mode, who, writes) in [
        (0o644, who(0, &[0], false), true),
        (0o644, who(1, &[0], false), false),
        (0o664, who(1, &[5, 0], false), true),
        (0o602, who(1, &[0], false), false),
        (0o602, who(1, &[1], false), true),
        (0o066, who(0, &[0], false), false),
        (0o444, who(1, &[1], true), true),
    ] {
        let mount = Mount { writable: true, ..Mount::default() };
        let found = noted(&Entry { mount, ..entry(path, mode) }, &who);
        assert_eq!(found.contains(&Trait::Writable), writes, "{mode:o} {who:?}");
        assert!(!noted(&entry(path, mode), &who).contains(&Trait::Writable), "read-only");
    }
    // What belongs to nobody inside, no capability of the jail opens.
    let foreign =
        Entry { user: None, mount: Mount { writable: true, ..Mount::default() }, ..entry(path, 0o644) };
    assert_eq!(noted(&foreign, &who(0, &[0], true)), []);
}

#[test]
fn each_trait_has_its_cause() {
    let root = Who { user: 0, groups: vec![0], overrides: false };
    let user = Who { user: 1, groups: vec![1], overrides: false };
    let open = Mount { writable: true, setuid: true, devices: true, hosts: true };
    let file = entry(Path::new("/usr/bin/thing"), 0o755);
    assert_eq!(noted(&file, &user), [Trait::Program]);
    assert_eq!(noted(&Entry { mode: 0o4755, ..file }, &user), [Trait::Program, Trait::SetuidInert]);
    let setuid = Entry { mode: 0o2755, mount: Mount { setuid: true, ..Mount::default() }, ..file };
    assert_eq!(noted(&setuid, &user), [Trait::Program, Trait::Setuid]);
    assert_eq!(
        noted(&Entry { mode: 0o755, capable: true, ..setuid }, &user),
        [Trait::Program, Trait::Capable]
    );
    let device = Entry { kind: Kind::Device, mount: open, ..file };
    assert_eq!(noted(&device, &user), [Trait::Device]);
    assert_eq!(noted(&Entry { mount: Mount::default(), ..device }, &user), [Trait::DeviceInert]);
    let socket = |path, mount| Entry { kind: Kind::Socket, mode: 0o777, mount, ..entry(Path::new(path), 0) };
    assert_eq!(noted(&socket("/run/x", open), &user), [Trait::HostSocket]);
    assert_eq!(noted(&socket("/run/docker.sock", open), &user), [Trait::HostControl]);
    assert_eq!(noted(&socket("/run/x", Mount::default()), &user), []);
    let directory = Entry { kind: Kind::Directory, mount: Mount { hosts: false, ..open }, ..file };
    assert_eq!(noted(&Entry { mode: 0o777, ..directory }, &user), [Trait::WorldWritable]);
    assert_eq!(noted(&Entry { mode: 0o1777, ..directory }, &user), []);
    let hosts = [Trait::Program, Trait::Writable, Trait::WritableProgram, Trait::HostWritable];
    assert_eq!(noted(&Entry { mount: open, ..file }, &root), hosts);
}

#[test]
fn names_tell_what_programs_are() {
    for (name, kind) in [
        ("bash", Some(Trait::Shell)),
        ("python3.11", Some(Trait::Interpreter)),
        ("perl", Some(Trait::Interpreter)),
        ("x86_64-linux-gnu-gcc-12", Some(Trait::Compiler)),
        ("g++", Some(Trait::Compiler)),
        ("apt-get", Some(Trait::PackageManager)),
        ("nc.openbsd", Some(Trait::NetworkTool)),
        ("nginx", None),
        ("sha256sum", None),
    ] {
        let path = Path::new("/usr/bin").join(name);
        let found = noted(&entry(&path, 0o755), &Who { user: 1, ..Who::default() });
        assert_eq!(found.iter().find(|t| **t != Trait::Program).copied(), kind, "{name}");
        // A text of that name is no program.
        assert_eq!(noted(&entry(&path, 0o644), &Who { user: 1, ..Who::default() }), []);
    }
}

#[test]
fn secrets_are_what_can_be_read() {
    let root = Who { user: 0, groups: vec![0], overrides: false };
    let user = Who { user: 33, groups: vec![33], overrides: false };
    let shadow = entry(Path::new("/etc/shadow"), 0o640);
    assert_eq!(noted(&shadow, &root), [Trait::Secret]);
    assert_eq!(noted(&shadow, &user), []);
    assert_eq!(noted(&Entry { size: 0, ..shadow }, &root), [], "empty");
    for (path, how) in [
        ("/etc/ssl/private/a.key", Some(Secrecy::ByContent)),
        ("/etc/ssh/ssh_host_rsa_key", Some(Secrecy::ByContent)),
        ("/root/.ssh/id_ed25519", Some(Secrecy::ByContent)),
        ("/root/.ssh/id_ed25519.pub", None),
        ("/root/.aws/credentials", Some(Secrecy::ByName)),
        ("/srv/credentials", None),
        ("/etc/passwd", None),
    ] {
        assert_eq!(secrecy(Path::new(path)), how, "{path}");
    }
    assert!(is_key(b"-----BEGIN RSA PRIVATE KEY-----\n") && !is_key(b"-----BEGIN CERTIFICATE-----"));
    let key = Entry { key: true, ..entry(Path::new("/a.pem"), 0o600) };
    assert_eq!(noted(&key, &root), [Trait::Secret]);
}
