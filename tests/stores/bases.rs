//! What jails are made of at once, whatever its size: on btrfs, of templates that are no subvolumes.

use super::{Btrfs, build, fill_template, kept, template_place, words};
use crate::ground::one_clear_line;
use jaula_tests::harness::{Done, Outcome, Test, Victim, command, fault_at_calls};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The template as somebody copied it there: a plain directory.
fn plain_template(t: &Test) -> Outcome {
    let place = template_place(t)?;
    fs::create_dir(place.join("tree"))?;
    fill_template(&place)
}

fn bases(t: &Test) -> PathBuf {
    t.root().join("var/lib/jaula/jails/.bases")
}

/// The bases that are there.
fn made(t: &Test) -> Outcome<Vec<String>> {
    let Ok(entries) = fs::read_dir(bases(t).join("small")) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// What `btrfs subvolume show` says of this.
fn about(path: &Path, field: &str) -> Outcome<String> {
    let said = command(&["btrfs", "subvolume", "show", &path.display().to_string()])?.ok()?;
    let line = said.lines().find_map(|line| line.trim().strip_prefix(field));
    Ok(line.ok_or_else(|| format!("no {field} in: {said}"))?.trim().to_owned())
}

/// KiB in use of a file system, when all is written.
fn used(path: &Path) -> Outcome<u64> {
    let path = path.display().to_string();
    command(&["sync", "-f", &path])?.ok()?;
    let said = command(&["df", "--output=used", "-k", &path])?.ok()?;
    Ok(said.lines().last().unwrap_or_default().trim().parse()?)
}

/// The files are copied for the first jail; every other one shares all of them, and is still its own.
pub(super) fn a_base_is_made_once(t: &Test) -> Outcome {
    let btrfs = Btrfs::mount(t)?;
    plain_template(t)?;
    fs::write(t.root().join("var/lib/jaula/templates/small/tree/much"), random(20 << 20)?)?;
    for (store, base) in [("btrfs", "btrfs"), ("image", "image-67108864")] {
        let names = ["one", "two", "three"].map(|n| t.name(&format!("{store}{n}")));
        let more: &[&str] = if store == "image" { &["--size", "64M"] } else { &[] };
        build(t, &names[0], store, more)?;
        let first = fs::metadata(bases(t).join("small").join(base).join("of"))?.ino();
        let before = used(&btrfs.0)?;
        build(t, &names[1], store, more)?;
        build(t, &names[2], store, more)?;
        let taken = used(&btrfs.0)?.saturating_sub(before);
        assert!(taken < 6 << 10, "{store}: two more jails of 20 MiB take {taken} KiB");
        assert_eq!(fs::metadata(bases(t).join("small").join(base).join("of"))?.ino(), first, "{store}");
        if store == "btrfs" {
            let base = bases(t).join("small/btrfs/root");
            assert_eq!(about(&base, "Flags:")?, "readonly");
            for name in &names {
                assert_eq!(about(&kept(t, name).join("root"), "Parent UUID:")?, about(&base, "UUID:")?);
            }
        }
        // Each is written to, and none sees what another wrote.
        for name in &names {
            t.jaula().ok(&["start", name])?;
            let write = format!("wc -c < /much; cat /etc/kept; echo {name} > /etc/kept; cat /etc/kept");
            let said = t.jaula().exec(name, &["sh", "-c", &format!("({write}) 2>&1")])?;
            assert!(said.contains("20971520") && said.contains("No such file"), "{store}: {said}");
            assert!(said.ends_with(&format!("{name}\n")), "{store}: {said}");
        }
        t.jaula().ok(&[&["stop"], &names.each_ref().map(|n| &n[..])[..]].concat())?;
        // What is kept of one, and made of it, is as with any other.
        let [one, copy] = [&names[0], &t.name(&format!("{store}copy"))].map(|n| n.clone());
        t.jaula().ok(&["snapshot", "create", &format!("{one}@before")])?;
        t.jaula().ok(&["clone", &one, &copy])?;
        t.jaula().ok(&["start", &copy])?;
        assert_eq!(t.jaula().exec(&copy, &["cat", "/etc/kept"])?, format!("{one}\n"), "{store}");
        t.jaula().ok(&["stop", &copy])?;
        let archive = t.root().join(format!("{store}.tar.zst")).display().to_string();
        t.jaula().ok(&["export", &one, &archive])?;
        t.jaula().ok(&["snapshot", "rollback", "--yes", &format!("{one}@before")])?;
        for name in names.iter().chain([&copy]) {
            t.jaula().ok(&["delete", "--yes", name])?;
        }
    }
    Ok(())
}

fn random(bytes: usize) -> Outcome<Vec<u8>> {
    let mut content = vec![0; bytes];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut content)?;
    Ok(content)
}

/// A template of the same name that is another one has another base; and no base stays that nothing is made of.
pub(super) fn bases_go_with_what_they_are_of(t: &Test) -> Outcome {
    let _btrfs = Btrfs::mount(t)?;
    plain_template(t)?;
    let name = t.name("base");
    build(t, &name, "btrfs", &[])?;
    t.jaula().ok(&["gc"])?;
    assert_eq!(made(t)?, ["btrfs"], "gc leaves what a jail was made of");
    t.jaula().ok(&["delete", "--yes", &name])?;
    assert_eq!(made(t)?, ["btrfs"], "the next one is made at once, too");
    let found = t.jaula().json(&["gc", "--dry-run", "--json"])?;
    assert!(found[0]["base"].as_str().is_some_and(|path| path.ends_with(".bases/small/btrfs")), "{found}");
    assert_eq!(made(t)?, ["btrfs"]);
    t.jaula().ok(&["gc"])?;
    assert!(!bases(t).exists());

    build(t, &name, "btrfs", &[])?;
    t.jaula().ok(&["delete", "--yes", &name])?;
    t.jaula().ok(&["template", "delete", "--yes", "small"])?;
    assert!(!bases(t).exists());

    // Behind jaula's back.
    plain_template(t)?;
    build(t, &name, "btrfs", &[])?;
    fs::remove_dir_all(t.root().join("var/lib/jaula/templates/small"))?;
    plain_template(t)?;
    fs::write(t.root().join("var/lib/jaula/templates/small/tree/etc/which"), "the second\n")?;
    let second = t.name("second");
    build(t, &second, "btrfs", &[])?;
    assert_eq!(fs::read_to_string(kept(t, &second).join("root/etc/which"))?, "the second\n");
    assert!(!kept(t, &name).join("root/etc/which").exists());
    t.jaula().ok(&["delete", "--yes", &name])?;
    t.jaula().ok(&["delete", "--yes", &second]).map(drop)
}

/// A jail that is a snapshot has its own limit, and cannot begin over it.
pub(super) fn limits_on_bases(t: &Test) -> Outcome {
    let _btrfs = Btrfs::mount(t)?;
    plain_template(t)?;
    fs::write(t.root().join("var/lib/jaula/templates/small/tree/much"), random(20 << 20)?)?;
    let [first, name] = ["first", "limited"].map(|name| t.name(name));
    build(t, &first, "btrfs", &[])?;
    let done = t.jaula().run(&[&words(&name, "btrfs")[..], &["--size", "16M"]].concat())?;
    one_clear_line(&done, 1, &["root.size allows 16M"])?;
    assert!(!kept(t, &name).exists());
    t.jaula().ok(&[&words(&name, "btrfs")[..], &["--size", "40M"]].concat())?;
    let disk = || -> Outcome<serde_json::Value> {
        Ok(t.jaula().json(&["status", "--json", &name])?[0]["disk"].clone())
    };
    t.jaula().ok(&["start", &name])?;
    assert_eq!(disk()?["size"], 40 << 20);
    assert!(disk()?["used"].as_u64().is_some_and(|used| used > 20 << 20), "{}", disk()?);
    let write = |name: &str| {
        t.jaula().run(&["exec", name, "sh", "-c", "dd if=/dev/zero of=/more bs=1M count=30 && sync"])
    };
    let said = write(&name)?;
    assert!(!said.status.success() && said.stderr.contains("uota exceeded"), "{said}");
    // That of one is nobody else's.
    t.jaula().ok(&["start", &first])?;
    let said = write(&first)?;
    assert!(said.status.success(), "{said}");
    t.jaula().ok(&["stop", &first, &name])?;
    t.jaula().ok(&["delete", "--yes", &first])?;
    t.jaula().ok(&["delete", "--yes", &name]).map(drop)
}

/// There is the whole jail, or after `jaula gc` nothing at all, wherever the first build is killed.
pub(super) fn a_killed_base_leaves_nothing(t: &Test) -> Outcome {
    let btrfs = Btrfs::mount(t)?;
    plain_template(t)?;
    for (store, more, step) in [("btrfs", &[][..], 61), ("image", &["--size", "32M"], 89)] {
        let name = t.name(store);
        let whole = Cell::new(0);
        let command_of = || Ok((Victim::Main, t.jaula().command([&words(&name, store)[..], more].concat())?));
        let check = |done: &Done| {
            if done.stderr.contains("panicked") {
                return Err(done.to_string().into());
            }
            if t.root().join("etc/jaula/jails").join(format!("{name}.toml")).exists() {
                whole.set(whole.get() + 1);
                t.jaula().ok(&["start", &name])?;
                t.jaula().ok(&["stop", &name])?;
                t.jaula().ok(&["delete", "--yes", &name])?;
            }
            t.jaula().ok(&["gc"])?;
            if kept(t, &name).join(".orphan").exists() {
                build(t, &name, store, more)?;
                t.jaula().ok(&["delete", "--yes", &name])?;
                t.jaula().ok(&["gc"])?;
            }
            let entries = fs::read_dir(t.root().join("var/lib/jaula/jails")).into_iter().flatten().flatten();
            let left: Vec<_> =
                entries.map(|entry| entry.file_name()).filter(|name| name != ".snapshots").collect();
            match left.is_empty() {
                true => Ok(()),
                false => Err(format!("{store}: left behind: {left:?}").into()),
            }
        };
        let survived = fault_at_calls(step, command_of, check)?;
        assert!(survived.kills > 20 && whole.get() >= 1, "{store}: {survived:?}, {} whole", whole.get());
    }
    // Nothing but the template's own is left, of the file system either.
    let said = command(&["btrfs", "subvolume", "list", &btrfs.0.display().to_string()])?.ok()?;
    assert_eq!(said.lines().filter(|line| !line.contains("DELETED")).count(), 0, "{said}");
    Ok(())
}
