#!/bin/bash
# Runs in the lab, once per start of it: mounts what `cargo xtask lab` brought along on the second disk, runs its
# command, tells its status and switches the machine off.
mkdir -p /lab /var/cache/jaula-tests
mount /dev/vdb /lab
[ -b /dev/vdc ] && mount /dev/vdc /var/cache/jaula-tests
top=$(cat /lab/top-path)
mkdir -p "$top" /etc/jaula /var/lib/jaula
mount --bind /lab/top "$top"
boots=$(($(cat /var/lib/lab-boots 2>/dev/null || echo 0) + 1))
echo "$boots" >/var/lib/lab-boots
# As root has it who logs in, and where the tests look.
cd "$top" || exit
env -i PATH=/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root \
    SHELL=/bin/bash LANG=C.UTF-8 TERM=xterm TOP="$top" CARGO_TARGET_DIR="$top/target" JAULA_BIN=/lab/bin/jaula \
    JAULA_LAB=1 LAB_BOOT="$boots" bash /lab/command
status=$?
# It may have told the machine to start anew: then the next start tells.
[ "$(systemctl is-system-running)" = stopping ] && exit
[ -e /dev/virtio-ports/status ] && echo "$status" >/dev/virtio-ports/status
sync
systemctl poweroff --force --force
