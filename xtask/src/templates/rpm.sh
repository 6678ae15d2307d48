# Makes of the Debian in "$1" a system of RPM packages: its packages are built as RPM ones, in a root of its own, and
# installed by rpm into an empty directory, which takes its place. It has rpm's database and Red Hat's files in /etc, and
# nothing of dpkg's and apt's.
set -eu
tree=$1
(
    cd "$tree"
    printf 'NAME="A system of RPM packages"\nID=rpmshaped\nID_LIKE="fedora rhel"\nVERSION_ID=13\n' >usr/lib/os-release
    ln -sfn ../usr/lib/os-release etc/os-release
    echo 'A system of RPM packages release 13' >etc/redhat-release
    ln -sfn redhat-release etc/system-release
    rm -rf etc/debian_version etc/machine-id etc/network etc/apt etc/dpkg etc/hostname etc/resolv.conf etc/ssh/ssh_host_*
    mkdir -p etc/sysconfig/network-scripts etc/NetworkManager/system-connections etc/rc.d/init.d
    printf 'NETWORKING=yes\nHOSTNAME=localhost.localdomain\n' >etc/sysconfig/network
    printf 'DEVICE=eth0\nONBOOT=yes\nBOOTPROTO=dhcp\n' >etc/sysconfig/network-scripts/ifcfg-eth0
    : >etc/machine-id
)
mkdir "$tree/rpmbuild" "$tree/rpmbuild/files"
cat >"$tree/rpmbuild/make" <<'MAKE'
set -eu
cd /rpmbuild
without() { grep -vE '^/(dev|proc|sys|run|tmp|rpmbuild|var/(cache|log|backups|lib/(dpkg|apt|rpm)))/|[][ *?%\\"]'; }

export LC_ALL=C
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /rpmbuild \) -prune -o \( -type f -o -type l \) -print |
    without | sort >present
# Every file is of the package that brought it; what was made when they were set up is of one called setup.
for list in /var/lib/dpkg/info/*.list; do
    name=$(basename "$list" .list); name=${name%:*}
    case $name in
        apt | libapt-pkg* | dpkg | debconf | debian-archive-keyring) cat "$list" >>left && continue ;;
        network-manager) name=NetworkManager ;;
        libc6) name=glibc ;;
    esac
    sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/&,; s,//,/,' "$list" | sort -u | comm -12 - present >"files/$name"
    [ -s "files/$name" ] || rm "files/$name"
done
sort -u files/* >known
cat left known | sort -u | comm -13 - present >files/setup
{ find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /rpmbuild -o -path /tmp/\* -o -path /run/\* \) -prune -o \
    -type d -print; echo /proc; echo /sys; echo /dev; } | without | grep -vE '^/(rpmbuild|var/lib/(dpkg|apt|rpm))?$' | sort -u >directories
sed 's/^/%dir /' directories >files/filesystem
cat directories files/setup known | sort -u | sed 's,^/,,' >all
{
    printf '%%global debug_package %%{nil}\n%%global __os_install_post %%{nil}\n%%global _build_id_links none\n'
    printf '%%global _binary_payload w1.zstdio\n'
    printf 'Name: filesystem\nVersion: 13\nRelease: 1\nSummary: Of Debian, for tests\nLicense: various\nAutoReqProv: no\n'
    for name in files/*; do
        name=${name#files/}
        [ "$name" = filesystem ] && continue
        printf '%%package -n %s\nSummary: Of Debian, for tests\nAutoReqProv: no\n%%description -n %s\nFiles of Debian.\n%%files -n %s -f /rpmbuild/files/%s\n' \
            "$name" "$name" "$name" "$name"
    done
    printf '%%description\nDirectories.\n%%files -f /rpmbuild/files/filesystem\n'
    printf '%%install\nmkdir -p %%{buildroot}\ntar -C / --no-recursion -cf - -T /rpmbuild/all | tar -C %%{buildroot} -xpf -\n'
} >all.spec
rpmbuild -bb --quiet --define '_topdir /rpmbuild' --define '_rpmdir /rpmbuild/made' all.spec >log 2>&1 || { tail -20 log; exit 1; }
mkdir new
put() { rpm --root /rpmbuild/new -i --nodeps --noscripts --nosignature "$@"; }
put made/*/filesystem-13* made/*/setup-13*
rm made/*/filesystem-13* made/*/setup-13*
put made/*/*.rpm
MAKE
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
chroot "$tree" sh /rpmbuild/make && made=yes || made=
umount "$tree/proc"
umount "$tree"
[ "$made" ]
mv "$tree/rpmbuild/new" "$tree.new"
rm -rf "$tree"
mv "$tree.new" "$tree"
