# What makes a machine of the tree $1: run by unshare as the first process of new mount, process, network,
# host name and IPC namespaces. $2 holds the machine's own copies of what it writes to, $3 is the JAULA_ROOT, $4
# the jaula under test. Says its number on this host when all stands; ends when its standard input does.
set -eu
tree=$1 own=$2 house=$3 jaula=$4
read -r pid _ < /proc/self/stat

# The tree is read only, so that the next test finds it as it was made.
mount --bind "$tree" "$own/new"
cd "$own/new"
mount -o remount,bind,ro .
usr=usr/local
[ ! -e "$own/usr/bin" ] || usr=usr
for directory in etc var home root srv opt $usr; do mount --bind "$own/$directory" "$directory"; done
mount --bind "$jaula" usr/local/bin/jaula
mount -t tmpfs -o mode=755 tmpfs run
mkdir -m 1777 run/lock
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p ".$house"
mount --bind "$house" ".$house"

# The kernel's file systems, as an init mounts them. A /dev of its own, as services make sockets there.
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for device in null zero full random urandom tty; do
    : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

ip link set lo up
hostname machine
echo '127.0.1.1 machine' >> etc/hosts
pivot_root . .
umount -l .
cd /
# What services find in /run when a Debian has booted.
systemd-tmpfiles --create --prefix=/run > /dev/null 2>&1 || true
# A shell, as it waits for the processes that nobody else waits for.
exec /bin/bash -c "echo $pid; read -r _"
