//! What shells complete of what is in a house: jails, snapshots, templates.

use jaula_tests::harness::{Jaula, Outcome, Test, busybox_root};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::os::unix::fs::symlink;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("completion": privileged [
        snapshots_and_templates_are_completed,
        bash_completes_behind_an_at_sign,
    ])
}

/// A jail with two snapshots, on a template.
fn house(t: &Test) -> Outcome<String> {
    let name = t.name("web");
    let from = format!("dir:{}", busybox_root()?.display());
    t.jaula().ok(&["build", &name, "--quiet", "--from", &from, "--template", "bare"])?;
    t.jaula().ok(&["snapshot", "create", &format!("{name}@clean"), "--note", "before\tthe upgrade"])?;
    t.jaula().ok(&["snapshot", "create", &format!("{name}@dirty")])?;
    Ok(name)
}

fn snapshots_and_templates_are_completed(t: &Test) -> Outcome {
    let name = house(t)?;
    let said = |words: &[&str]| t.jaula().ok(&[&["complete", "--"], words].concat());
    let (clean, dirty) = (format!("{name}@clean"), format!("{name}@dirty"));
    let both = format!("{clean}\tbefore\n{dirty}\t\n");
    assert_eq!(said(&["snapshot", "rollback", ""])?, both);
    assert_eq!(said(&["snapshot", "delete", &clean, &format!("{name}@d")])?, format!("{dirty}\t\n"));
    assert_eq!(said(&["snapshot", "rollback", "other@"])?, "");
    assert_eq!(said(&["clone", "w"])?, "@jails\n");
    assert_eq!(said(&["clone", &format!("{name}@")])?, both);
    assert_eq!(said(&["create", "x", "--root", "template:b"])?, "template:bare\t\n");
    assert_eq!(said(&["build", "x", "--from", "clone:w"])?, format!("clone:{name}\t\n"));
    Ok(())
}

/// Where bash cuts words.
fn bash_completes_behind_an_at_sign(t: &Test) -> Outcome {
    let name = house(t)?;
    let programs = t.root().join("bin");
    std::fs::create_dir(&programs)?;
    symlink(Jaula::binary()?.canonicalize()?, programs.join("jaula"))?;
    let script = "PATH=$1:$PATH; eval \"$(jaula completions bash)\"; COMP_WORDBREAKS=$' \\t\\n\"\\'@><=;|&(:'
        COMP_LINE=\"jaula snapshot rollback $2@c\" COMP_WORDS=(jaula snapshot rollback \"$2\" @ c) COMP_CWORD=5
        COMP_POINT=${#COMP_LINE}; _jaula jaula c @; printf '%s|' \"${COMPREPLY[@]}\"";
    let words = ["-c", script, "bash", &programs.to_string_lossy(), &name];
    let said = t.jaula().instead("bash").ok(&words)?;
    assert_eq!(said, "clean|", "readline puts only what stands behind the sign");
    Ok(())
}
