//! jaula's own directory on an overlay, as it is in many a container: owners cannot be mapped there.

use super::template;
use crate::ground::one_clear_line;
use jaula_tests::harness::{Done, Jaula, Outcome, Test, busybox_root};

/// Lays an overlay over `$JAULA_ROOT`, which nobody else sees, and runs the command there.
const ON_OVERLAY: &str = "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work && \
    mount -t overlay -o lowerdir=$JAULA_ROOT,upperdir=/mnt/upper,workdir=/mnt/work overlay $JAULA_ROOT && \
    cd / && ";

fn there(t: &Test, script: &str) -> Outcome<Done> {
    let jaula = Jaula::binary()?.canonicalize()?;
    let jaula = jaula.to_str().ok_or("a path of bytes")?;
    let script = format!("{ON_OVERLAY}{script}");
    t.jaula().instead("unshare").run(&["--mount", "sh", "-c", &script, jaula])
}

pub(super) fn on_an_overlay_servers_are_in_images(t: &Test) -> Outcome {
    template(t)?;
    let name = t.name("own");
    let build = "--from template:small --set 'boot.command=[\"/bin/sleep\", \"1007\"]'";
    let made = there(
        t,
        &format!(
            "$0 build --quiet {name} {build} && $0 start {name} && \
             $0 exec {name} -- sh -c 'echo mine >/file; stat -c %u:%g /file /bin/busybox' && \
             grep store $JAULA_ROOT/etc/jaula/jails/{name}.toml && $0 stop {name}"
        ),
    )?;
    assert_eq!(made.ok()?, "0:0\n0:0\nstore = \"image\"\n");
    for store in ["overlay", "dir"] {
        let refused = there(t, &format!("$0 build --quiet {name} --store {store} {build}"))?;
        one_clear_line(&refused, 1, &["root.store", "itself on an overlay", "\"image\"", "JAULA_ROOT"])?;
    }
    Ok(())
}

pub(super) fn what_an_overlay_cannot_map_is_said(t: &Test) -> Outcome {
    let (name, root) = (t.name("x"), busybox_root()?.display().to_string());
    let start =
        format!("$0 create {name} --root dir:{root} -- /bin/sleep 1007 >/dev/null && $0 start {name}");
    let refused = there(t, &start)?;
    one_clear_line(&refused, 1, &["what the jail writes", "on overlay", "maps no owners", "JAULA_ROOT"])?;
    // A root that is there, and only read.
    let run = |more: &str| {
        there(
            t,
            &format!("cp -a {root} $JAULA_ROOT/tree && $0 run --root dir:$JAULA_ROOT/tree {more} -- true"),
        )
    };
    let read = "--set root.writes=refused";
    one_clear_line(&run(read)?, 125, &["the jail's root", "on overlay", "root.owners = \"host\""])?;
    run(&format!("{read} --set root.owners=host"))?.ok()?;
    let doctor = there(t, "$0 doctor")?.stdout;
    let row = doctor.lines().find(|line| line.contains("id-mapped mounts")).unwrap_or_default();
    assert!(row.starts_with("missing") && row.contains("overlay has none"), "{doctor}");
    Ok(())
}
