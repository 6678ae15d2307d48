//! What jaula's own init runs: a shell's scripts, for the shell is what rc scripts need anyway.

/// `$1` is the runlevel: its scripts are started in their order, those of the single-user level first. Then somebody
/// can log in at the console, if there is a getty.
pub const START: &str = r#"
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUNLEVEL=$1 PREVLEVEL=N runlevel=$1 previous=N
export PATH RUNLEVEL PREVLEVEL runlevel previous
of() { for place in "/etc/rc$1.d" "/etc/rc.d/rc$1.d"; do [ -d "$place" ] && echo "$place" && return; done; }
for level in S "$1"; do
    for script in "$(of "$level")"/S[0-9][0-9]*; do [ -x "$script" ] && "$script" start; done
done
[ -x /sbin/getty ] && while :; do setsid /sbin/getty -L console 115200 vt100; sleep 1; done &
exit 0
"#;

/// `$1` is 0 or 6: its scripts are run, the K ones and then, as System V's rc does it there, the S ones, all to stop
/// something. What is left is told to end, and has five seconds for it.
pub const STOP: &str = r#"
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUNLEVEL=$1 PREVLEVEL=$2 runlevel=$1 previous=$2
export PATH RUNLEVEL PREVLEVEL runlevel previous
of() { for place in "/etc/rc$1.d" "/etc/rc.d/rc$1.d"; do [ -d "$place" ] && echo "$place" && return; done; }
for letter in K S; do
    for script in "$(of "$1")/$letter"[0-9][0-9]*; do [ -x "$script" ] && "$script" stop; done
done
left() { set -- /proc/[0-9]*; [ $# -gt 2 ]; }
kill -TERM -1
turns=0
while left && [ "$turns" -lt 50 ]; do sleep 0.1 || sleep 1; turns=$((turns + 1)); done
exit 0
"#;
