//! What `jaula units` writes, run by what starts a host: System V's scripts and insserv, OpenRC, systemd.

use crate::boot::Server;
use jaula_tests::harness::{Jaula, Outcome, Template, Test, busybox_root, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("hosts": privileged [
        a_script_is_one_of_system_v,
        a_script_is_one_of_openrc,
        systemd_stops_jails_though_one_did_not_start,
        packages_of_rpm_are_looked_up,
    ])
}

/// Makes a host of its own in a mount namespace: a Debian with another init than the machine's, with jaula installed,
/// and with its files and its run directory to itself. Then runs what follows in it.
const HOST: &str = r#"
tree=$1 place=$2 jaula=$3 small=$4; shift 4
mkdir -p "$place/upper" "$place/work" "$place/root" "$place/lib"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$place/upper,workdir=$place/work" "$place/root"
cd "$place/root"
mkdir -p var/lib/jaula small mnt etc/init.d
mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev; mount -t tmpfs run run
mount --bind "$place/lib" var/lib/jaula; mount --bind "$small" small
touch usr/bin/jaula; mount --bind "$jaula" usr/bin/jaula
pivot_root . mnt; cd /; umount -l mnt
jaula() { env -i /usr/bin/jaula "$@"; }
# What it does must do this.
gives() { want=$1; shift; got=0; "$@" >/tmp/said 2>&1 || got=$?
	[ $got = $want ] || { echo "$*: $got, not $want: $(cat /tmp/said)"; exit 1; }; }
says() { grep -q "$1" /tmp/said || { echo "not \"$1\", but: $(cat /tmp/said)"; exit 1; }; }
state() { jaula list | sed -n "s/^$1  *[0-9]*  *\([a-z]*\).*/\1/p"; }
is() { [ "$(state $1)" = $2 ] || { echo "$1 is $(state $1), not $2"; exit 1; }; }
jaula create "$www" --quiet --root dir:/small --set boot.autostart=true -- /bin/sleep 1000
jaula create "$bad" --quiet --root dir:/small --set boot.autostart=true -- /bin/sleep 1000
jaula units --quiet /etc/init.d
"#;

/// Runs a script on such a host, where `$www` and `$bad` are jails that start with it.
fn on_a_host(t: &Test, template: Template, script: &str) -> Outcome {
    let tree = template.kept(t)?.join("tree");
    let place = t.root().join("host");
    fs::create_dir(&place)?;
    let names = format!("set -e; www={} bad={}", t.name("www"), t.name("bad"));
    let script = [&names, HOST, script].join("\n");
    let (jaula, small) = (Jaula::binary()?, busybox_root()?);
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let words = [path(&tree), path(&place), path(&jaula), path(&small)];
    let begin = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &script, "sh"];
    let words: Vec<&str> = begin.into_iter().chain(words.iter().map(String::as_str)).collect();
    let done = command(&words)?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{}{}", done.stdout, done.stderr).into()),
    }
}

fn a_script_is_one_of_system_v(t: &Test) -> Outcome {
    let script = r#"
mv /etc/init.d/jaula.init /etc/init.d/jaula
gives 0 update-rc.d jaula defaults
# After what it needs, and stopped before that.
[ "$(cd /etc; echo rc[0-6].d/[SK]*jaula | tr -d 0-9)" = "rc.d/Kjaula rc.d/Kjaula rc.d/Sjaula rc.d/Sjaula rc.d/Sjaula rc.d/Sjaula rc.d/Kjaula" ]
[ "$(cd /etc/rc2.d; ls -d S*rsyslog S*jaula | head -n 1 | tr -d 0-9)" = Srsyslog ]
[ "$(cd /etc/rc6.d; ls -d K*rsyslog K*jaula | head -n 1 | tr -d 0-9)" = Kjaula ]
gives 3 service jaula status
gives 0 service jaula start; is $www running; is $bad running
gives 0 service jaula start; says "runs already"
gives 0 service jaula status; says running
jaula stop $bad
gives 0 service jaula reload; is $bad running
gives 0 service jaula restart; is $www running
gives 0 service jaula stop; is $www stopped; is $bad stopped
gives 0 service jaula stop
gives 3 service jaula status
gives 2 service jaula what
# One that cannot start harms nobody else, and is told.
jaula set --quiet $bad 'boot.command=["/bin/none"]'
gives 1 service jaula start; says "$bad.* cannot start"; is $www running
gives 0 service jaula stop; is $www stopped
gives 0 update-rc.d jaula remove
"#;
    on_a_host(t, Template::Debian13Sysv, script)
}

fn a_script_is_one_of_openrc(t: &Test) -> Outcome {
    let script = r#"
mv /etc/init.d/jaula.openrc /etc/init.d/jaula
# As OpenRC finds it when the host has started.
for word in starting started stopping inactive wasinactive failed exclusive hotplugged daemons options scheduled tmp; do
	mkdir -p /run/openrc/$word
done
echo default >/run/openrc/softlevel
# It takes a host with both versions of control groups for one with version 2 alone unless it is told.
groups=/sys/fs/cgroup
if [ -d $groups/unified ]; then groups=$groups/unified; echo 'rc_cgroup_mode="hybrid"' >>/etc/rc.conf; fi
gives 0 rc-update add jaula default
gives 0 rc-update show default; says jaula
gives 3 rc-service jaula status
gives 0 rc-service jaula start; is $www running; is $bad running
gives 0 rc-service jaula start; says "already been started"
gives 0 rc-service jaula status; says started
jaula stop $bad
gives 0 rc-service jaula reload; is $bad running
gives 0 rc-service jaula restart; is $www running
gives 0 rc-service jaula stop; is $www stopped; is $bad stopped
gives 0 rc-service jaula stop
gives 3 rc-service jaula status
gives 1 rc-service jaula what
# One that cannot start is told, and the others are stopped with the host nevertheless.
jaula set --quiet $bad 'boot.command=["/bin/none"]'
gives 0 rc-service jaula start; says "$bad.* cannot start"; is $www running
gives 0 rc-service jaula stop; is $www stopped
# Whoever outlived the stop would hold the group of the service.
[ ! -e $groups/openrc.jaula ]
gives 0 rc-update del jaula default
"#;
    on_a_host(t, Template::Debian13Openrc, script)
}

/// A unit that has failed is not asked to stop: the jails that did start would be killed with the host. What counts
/// here is what systemd runs, so that a script in jaula's place notes it.
fn systemd_stops_jails_though_one_did_not_start(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13, "host", &[])?;
    server.start()?;
    let units = t.root().join("units");
    fs::create_dir(&units)?;
    t.jaula().ok(&["units", "--quiet", &units.to_string_lossy()])?;
    let unit = fs::read_to_string(units.join("jaula.service"))?;
    let program = Jaula::binary()?.to_string_lossy().into_owned();
    let unit = unit.replace(&program, "/usr/bin/jaula");
    server.shell(&format!("cat >/etc/systemd/system/jaula.service <<'E'\n{unit}E\n"))?;
    server.shell("printf '#!/bin/sh\necho $1 >>/var/said\n[ $1 != boot ]\n' >/usr/bin/jaula; chmod 755 /usr/bin/jaula; mkdir -p /etc/jaula /var/lib/jaula")?;
    server.shell("systemctl daemon-reload; systemctl start jaula; systemctl is-active jaula")?;
    assert_eq!(server.shell("cat /var/said")?, "boot\n");
    server.stop()?;
    server.start()?;
    assert_eq!(server.shell("cat /var/said")?, "boot\nshutdown\n");
    server.end()
}

/// On a host of RPM packages, an app jail whose program a newer package brings is out of date, and by which package.
fn packages_of_rpm_are_looked_up(t: &Test) -> Outcome {
    let script = r#"
jaula create $www-app --quiet --app /usr/bin/bash
gives 0 jaula outdated
cat >/tmp/bash.spec <<'E'
Name: bash
Version: 14
Release: 1
Summary: A newer one
License: none
%description
%install
mkdir -p %{buildroot}/usr/bin
cp /usr/bin/bash %{buildroot}/usr/bin/bash
echo >>%{buildroot}/usr/bin/bash
%files
/usr/bin/bash
E
gives 0 rpmbuild --define '_topdir /tmp/rpm' --define '__os_install_post %{nil}' --define 'debug_package %{nil}' -bb /tmp/bash.spec
gives 0 rpm -U --nodeps /tmp/rpm/RPMS/*/bash-14-1.*.rpm
gives 1 jaula outdated; says "bash 13-1 -> 14-1"
gives 0 jaula refresh $www-app; says "changed *.usr.bin.bash"
gives 0 jaula outdated
"#;
    on_a_host(t, Template::RpmShaped, script)
}
