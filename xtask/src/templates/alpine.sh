# Makes of what was unpacked into "$1" (OpenRC, busybox, an ssh server, C library) a system in the shape of Alpine:
# busybox for all commands, its init, OpenRC with Alpine's runlevels, apk's database, ifupdown of busybox.
set -eu
cd "$1"

# apk's database: what each of Debian's packages has brought here (apk-package(5)).
mkdir -p lib/apk/db etc/apk
for deb in var/cache/apt/archives/*.deb; do
    [ -e "$deb" ] || continue
    printf 'P:%s\nV:%s-r0\nA:%s\nT:of Debian, for tests\n' "$(dpkg-deb -f "$deb" Package)" \
        "$(dpkg-deb -f "$deb" Version)" "$(uname -m)"
    dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's,^\./\(.*[^/]\)$,\1,p' | sort |
        awk '{ name = $0; sub(/.*\//, "", name); place = substr($0, 1, length($0) - length(name) - 1)
               if (place != before) print "F:" place; before = place; print "R:" name }'
    echo
done >lib/apk/db/installed
grep -q '^P:openrc$' lib/apk/db/installed
find dev -mindepth 1 -delete
rm -rf var/lib/dpkg var/lib/apt var/cache etc/apt etc/dpkg etc/debconf.conf usr/share/debconf \
    usr/share/perl5 usr/bin/debconf* usr/sbin/dpkg-* usr/lib/x86_64-linux-gnu/gconv etc/init.d/* etc/runlevels

mkdir -p proc sys run tmp root home srv mnt var/log var/spool/cron var/empty etc/conf.d etc/init.d etc/dropbear \
    etc/crontabs etc/network/if-up.d etc/network/if-pre-up.d etc/network/if-down.d etc/network/if-post-down.d \
    usr/local/bin var/www
ln -sfn /run var/run
chmod 1777 tmp
chmod 700 root
for name in $(chroot . /bin/busybox --list-full); do
    mkdir -p "${name%/*}"
    [ -e "$name" ] || [ -L "$name" ] || ln -s /bin/busybox "$name"
done
ldconfig -r .

echo 3.0.0 >etc/alpine-release
printf 'NAME="A system in the shape of Alpine"\nID=alpineshaped\nID_LIKE=alpine\nVERSION_ID=3.0.0\n' >etc/os-release
echo alpine >etc/hostname
printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost\n' >etc/hosts
printf 'hostname="alpine"\n' >etc/conf.d/hostname
printf 'clock_hctosys="YES"\nclock_systohc="YES"\n' >etc/conf.d/hwclock
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\nwww:x:82:82::/var/www:/sbin/nologin\n' >etc/passwd
printf 'root:x:0:root\ntty:x:5:\nuucp:x:14:\nwww:x:82:\nutmp:x:406:\nnobody:x:65534:\n' >etc/group
printf 'root:*::0:::::\nnobody:!::0:::::\nwww:!::0:::::\n' >etc/shadow
chmod 640 etc/shadow
printf '/bin/sh\n' >etc/shells
printf 'console\ntty1\ntty2\n' >etc/securetty
printf '/dev/vda1 / ext4 defaults 0 1\n' >etc/fstab
printf 'export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n' >etc/profile
printf 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n' >etc/network/interfaces
printf '0 * * * * hwclock -w\n' >etc/crontabs/root
echo 'it works' >var/www/index.html
cat >etc/inittab <<'INITTAB'
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
tty1::respawn:/sbin/getty 38400 tty1
tty2::respawn:/sbin/getty 38400 tty2
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
INITTAB

# A script of OpenRC: its runlevel, its name, and what is in it.
service() {
    mkdir -p "etc/runlevels/$1"
    { echo '#!/sbin/openrc-run'; cat; } >"etc/init.d/$2"
    chmod 755 "etc/init.d/$2"
    ln -sf "/etc/init.d/$2" "etc/runlevels/$1/$2"
}
daemon() {
    printf 'command="%s"\ncommand_args="%s"\ncommand_background=yes\npidfile="/run/$RC_SVCNAME.pid"\ndepend() { %s; }\n' \
        "$2" "$3" "$4" | service default "$1"
}
# What only a machine has: a jail must do without.
for name in devfs dmesg mdev hwdrivers; do
    printf 'start() { eerror "%s is for machines"; return 1; }\n' $name | service sysinit $name
done
for name in hwclock modules swap; do
    printf 'start() { eerror "%s is for machines"; return 1; }\n' $name | service boot $name
done
service boot bootmisc <<'SCRIPT'
start() { ebegin "Creating user login records"; : >/run/utmp; chgrp utmp /run/utmp; chmod 664 /run/utmp; eend 0; }
SCRIPT
service boot hostname <<'SCRIPT'
start() { ebegin "Setting hostname"; hostname "$hostname"; eend $?; }
SCRIPT
service boot networking <<'SCRIPT'
depend() { need hostname; provide net; }
interfaces() { awk '$1 == "auto" { for (i = 2; i <= NF; i++) print $i }' /etc/network/interfaces; }
start() { ebegin "Starting networking"; bad=0; for i in $(interfaces); do ifup "$i" >/dev/null || bad=1; done; eend $bad; }
stop() { for i in $(interfaces); do [ "$i" = lo ] || ifdown "$i" >/dev/null; done; return 0; }
SCRIPT
service shutdown killprocs <<'SCRIPT'
start() { ebegin "Terminating remaining processes"; eend 0; }
SCRIPT
daemon syslog /sbin/syslogd '-n -O /var/log/messages' 'before net; provide logger'
daemon crond /usr/sbin/crond '-f -c /etc/crontabs' 'need syslog'
daemon httpd /usr/sbin/httpd '-f -p 80 -h /var/www' 'need net'
daemon sshd /usr/sbin/dropbear '-F -R' 'need net'
