//! Templates from archives and images, and jails that go into archives and come back.

use jaula_tests::harness::{Outcome, Test, busybox_root};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("archives":
        privileged [
            each_format_becomes_a_template,
            a_bad_archive_leaves_nothing,
            what_has_changed_in_a_template_is_told,
            a_jail_comes_back_from_an_archive,
        ],
    )
}

/// A small root, packed by tar with these options; the file and the tree.
fn packed(t: &Test, name: &str, options: &[&str]) -> Outcome<(PathBuf, PathBuf)> {
    let tree = t.root().join("tree");
    if !tree.exists() {
        let copy = Command::new("cp").arg("-a").arg(busybox_root()?).arg(&tree).status()?;
        assert!(copy.success());
        fs::create_dir_all(tree.join("etc"))?;
        fs::write(tree.join("etc/os-release"), "ID=test\nVERSION_ID=7\n")?;
        fs::write(tree.join("etc/owned"), "x")?;
        chown(tree.join("etc/owned"), Some(33), Some(65535))?;
        fs::hard_link(tree.join("etc/owned"), tree.join("etc/same"))?;
    }
    let file = t.root().join(name);
    let done =
        Command::new("tar").args(options).arg("-cf").arg(&file).arg("-C").arg(&tree).arg(".").status()?;
    assert!(done.success());
    Ok((file, tree))
}

/// What is kept of templates.
fn templates(t: &Test) -> Vec<String> {
    let read = fs::read_dir(t.root().join("var/lib/jaula/templates"));
    let mut all: Vec<String> =
        read.into_iter().flatten().flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    all.sort();
    all
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn each_format_becomes_a_template(t: &Test) -> Outcome {
    let jaula = t.jaula();
    for (name, options) in [("plain", &[][..]), ("gz", &["-z"]), ("xz", &["-J"]), ("zst", &["--zstd"])] {
        // The name tells nothing.
        let (file, _) = packed(t, "archive", options)?;
        jaula.ok(&["template", "import", name, text(&file)])?;
        let owned = t.root().join(format!("var/lib/jaula/templates/{name}/tree/etc/owned"));
        let about = fs::metadata(&owned)?;
        assert_eq!((about.uid(), about.gid(), about.nlink()), (33, 65535, 2), "{name}");
    }
    let list = jaula.json(&["template", "list", "--json"])?;
    let trees: Vec<&str> =
        list.as_array().into_iter().flatten().filter_map(|one| one["tree"].as_str()).collect();
    assert!(trees.len() == 4 && trees.iter().all(|tree| *tree == trees[0]), "{trees:?}");
    assert_eq!((list[0]["distribution"].as_str(), list[0]["version"].as_str()), (Some("test"), Some("7")));
    let name = t.name("web");
    jaula.ok(&["build", &name, "--from", "template:gz"])?;
    let stderr = jaula.fails(&["template", "delete", "gz", "--yes"])?;
    assert!(stderr.contains(&name), "{stderr}");
    jaula.ok(&["template", "delete", "plain", "xz", "--yes"])?;
    assert_eq!(templates(t), ["gz", "zst"]);
    Ok(())
}

fn a_bad_archive_leaves_nothing(t: &Test) -> Outcome {
    let (file, tree) = packed(t, "archive", &["--zstd"])?;
    let whole = fs::read(&file)?;
    let cut = t.root().join("cut");
    fs::write(&cut, &whole[..whole.len() / 2])?;
    let digest = format!("sha256:{}", "0".repeat(64));
    let shifted = t.root().join("shifted");
    let tar = |more: &[&str]| {
        Command::new("tar")
            .arg("-cf")
            .arg(&shifted)
            .arg("-C")
            .arg(&tree)
            .args(more)
            .status()
            .map(|s| s.success())
    };
    for (words, error) in [
        (vec![text(&cut)], "is cut short"),
        (vec![text(&file), "--digest", &digest], "its digest is sha256:"),
        (vec![text(&file), "--limit", "1000"], "holds more than"),
        (vec!["/nonexistent"], "cannot open"),
        (vec!["/etc/passwd"], "no tar archive"),
    ] {
        let stderr = t.jaula().fails(&[&["template", "import", "x"][..], &words].concat())?;
        assert!(stderr.contains(error) && stderr.lines().count() <= 4, "{words:?}: {stderr}");
        assert_eq!(templates(t), Vec::<String>::new(), "{words:?}");
    }
    for (more, error) in [
        (&["--owner=:100000", "."][..], "user 100000"),
        (&["-P", "--transform=s,^,/,", "etc/os-release"], "absolute"),
        (&["-P", "--transform=s,^,../,", "etc/os-release"], "leads out"),
    ] {
        assert!(tar(more)?);
        let stderr = t.jaula().fails(&["template", "import", "x", text(&shifted)])?;
        assert!(stderr.contains(error), "{more:?}: {stderr}");
        assert_eq!(templates(t), Vec::<String>::new(), "{more:?}");
    }
    Ok(())
}

fn what_has_changed_in_a_template_is_told(t: &Test) -> Outcome {
    let (file, _) = packed(t, "archive", &["--zstd"])?;
    let jaula = t.jaula();
    jaula.ok(&["template", "import", "x", text(&file)])?;
    jaula.ok(&["template", "verify"])?;
    fs::write(t.root().join("var/lib/jaula/templates/x/tree/etc/owned"), "y")?;
    let done = jaula.run(&["template", "verify", "x"])?;
    let told = done.to_string();
    assert!(
        told.contains("etc/owned: content") && told.contains("2 differ") || told.contains("1 differ"),
        "{told}"
    );
    Ok(())
}

fn a_jail_comes_back_from_an_archive(t: &Test) -> Outcome {
    let (file, _) = packed(t, "archive", &["--zstd"])?;
    let jaula = t.jaula();
    jaula.ok(&["template", "import", "x", text(&file)])?;
    let name = t.name("a");
    let command = "boot.command=[\"/bin/sleep\", \"1000\"]";
    jaula.ok(&["build", &name, "--from", "template:x", "--set", command])?;
    jaula.ok(&["start", &name])?;
    // A name that says another kind of archive would be a lie.
    for otherwise in ["a.tar.gz", "a.TGZ", "a.tar.xz", "a.tar"] {
        let otherwise = t.root().join(otherwise);
        for words in [&["export", &name][..], &["template", "export", "x"]] {
            let error = jaula.fails(&[words, &[text(&otherwise)]].concat())?;
            assert!(error.contains("tar.zst") && !otherwise.exists(), "{error}");
        }
    }
    jaula.exec(
        &name,
        &["sh", "-c", "echo new > /new; ln /new /same; chown 33 /new; mkfifo /pipe; rm /etc/owned"],
    )?;
    for (word, live) in [("live", true), ("stopped", false)] {
        if !live {
            jaula.ok(&["stop", &name])?;
        }
        let archive = t.root().join(word);
        jaula.ok(&["export", &name, text(&archive)])?;
        let sum = Command::new("sha256sum")
            .arg("-c")
            .arg(format!("{word}.sha256"))
            .current_dir(t.root())
            .output()?;
        assert!(sum.status.success(), "{word}");
        assert!(jaula.fails(&["import", text(&archive)])?.contains("exists already"));
        for store in ["overlay", "dir"] {
            let copy = t.name(&format!("{word}-{store}"));
            jaula.ok(&["import", text(&archive), "--name", &copy, "--store", store])?;
            jaula.ok(&["start", &copy])?;
            let seen = jaula.exec(
                &copy,
                &[
                    "sh",
                    "-c",
                    "cat /new; stat -c '%u %h' /same; test -p /pipe; test ! -e /etc/owned && echo gone",
                ],
            )?;
            assert_eq!(seen, "new\n33 2\ngone\n", "{copy}");
            jaula.ok(&["stop", &copy])?;
            // Deleted and brought back, whatever it left behind that it lay on.
            jaula.ok(&["delete", "--yes", &copy])?;
            jaula.ok(&["import", text(&archive), "--name", &copy, "--store", store])?;
        }
        // Another archive under the same digest is refused.
        fs::write(&archive, fs::read(&file)?)?;
        let stderr = jaula.fails(&["import", text(&archive), "--name", &t.name("other")])?;
        assert!(stderr.contains("not one of a jail") || stderr.contains("its digest"), "{stderr}");
    }
    Ok(())
}
