/* The machine's state: names, clocks, reboot, swap, quota, accounting. Nothing is ever changed. */
#include "probe.h"

#include <linux/quota.h>
#include <linux/reboot.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>

/* Sets the names that are set already. */
static void host_name(const struct probe *self)
{
    struct utsname names;
    (void)self;
    uname(&names);
    MUST("sethostname", sethostname(names.nodename, strlen(names.nodename)));
    within("uts", "set the host name");
}

static void domain_name(const struct probe *self)
{
    struct utsname names;
    (void)self;
    uname(&names);
    MUST("setdomainname", setdomainname(names.domainname, strlen(names.domainname)));
    within("uts", "set the domain name");
}

/* A time before the machine's start: EINVAL comes after the permission (clock_settime(2), since Linux 4.3).
 */
static void clock_set(const struct probe *self)
{
    struct timespec early = { 0, 1 };
    (void)self;
    trying("clock_settime");
    checked(syscall(SYS_clock_settime, CLOCK_REALTIME, &early), EINVAL);
}

static void time_set(const struct probe *self)
{
    struct timeval early = { 0, 1 };
    (void)self;
    trying("settimeofday");
    checked(syscall(SYS_settimeofday, &early, NULL), EINVAL);
}

/* No clock ticks in 0 microseconds. */
static void clock_adjust(const struct probe *self)
{
    struct timex impossible = { .modes = ADJ_TICK, .tick = 0 };
    (void)self;
    trying("adjtimex(ADJ_TICK)");
    checked(syscall(SYS_adjtimex, &impossible), EINVAL);
}

static void clock_adjust_by_clock(const struct probe *self)
{
    struct timex impossible = { .modes = ADJ_TICK, .tick = 0 };
    (void)self;
    trying("clock_adjtime(ADJ_TICK)");
    checked(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &impossible), EINVAL);
}

/* A wrong magic number: EINVAL comes after the permission, and nothing else can. */
static void reboot_refused(const struct probe *self)
{
    (void)self;
    trying("reboot(wrong magic)");
    long result = syscall(SYS_reboot, 0, 0, LINUX_REBOOT_CMD_CAD_OFF, NULL);
    if (result < 0 && errno == EINVAL && !in_host_namespace("pid"))
        within("pid", "reboot would be allowed, and ends this namespace");
    checked(result, EINVAL);
}

/* In a pid namespace of its own this kills the first process with SIGHUP, and nothing else. */
static void reboot_namespace(const struct probe *self)
{
    char name[64];
    (void)self;
    if (!namespace_name("pid", name, sizeof name) || in_host_namespace("pid"))
        untried("only in a pid namespace that is known not to be the host's");
    MUST("reboot(RESTART)",
         syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, NULL));
    sleep(5);
    harmless("reboot returned, and the namespace still lives");
}

static void swap_on(const struct probe *self)
{
    (void)self;
    trying("swapon(missing)");
    checked(swapon("/probe-no-such-file", 0), ENOENT);
}

static void swap_off(const struct probe *self)
{
    (void)self;
    trying("swapoff(missing)");
    checked(swapoff("/probe-no-such-file"), ENOENT);
}

/* Reads somebody else's quota on /; ESRCH, quota is off, comes after the permission. */
static void quota(const struct probe *self)
{
    struct {
        unsigned long limits[9];
    } answer;
    (void)self;
    int root = (int)MUST("open(/)", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    trying("quotactl_fd(Q_GETQUOTA)");
    long result = syscall(SYS_quotactl_fd, root, QCMD(Q_GETQUOTA, USRQUOTA), 4242, &answer);
    if (result < 0 && (errno == EINVAL || (errno == ENOSYS && geteuid() == 0)))
        untried("the filesystem of / keeps no quota (%s)", errno_name(errno));
    checked(result, ESRCH);
}

static void accounting(const struct probe *self)
{
    (void)self;
    trying("acct(missing)");
    checked(acct("/probe-no-such-directory/file"), ENOENT);
}

const struct probe system_probes[] = {
    { .name = "sethostname", .what = "set the host name that is set already", .run = host_name },
    { .name = "setdomainname", .what = "set the domain name that is set already", .run = domain_name },
    { .name = "clock-settime", .what = "set the clock to an impossible time", .run = clock_set },
    { .name = "settimeofday", .what = "set the time of day to an impossible one", .run = time_set },
    { .name = "adjtimex", .what = "adjust the clock to an impossible rate", .run = clock_adjust },
    { .name = "clock-adjtime", .what = "adjust the clock by clock_adjtime", .run = clock_adjust_by_clock },
    { .name = "reboot", .what = "reboot with a wrong magic number", .run = reboot_refused },
    { .name = "reboot-namespace",
      .what = "really restart, which ends the pid namespace",
      .run = reboot_namespace,
      .only_asked = true },
    { .name = "swapon", .what = "swapon a missing file", .run = swap_on },
    { .name = "swapoff", .what = "swapoff a missing file", .run = swap_off },
    { .name = "quotactl", .what = "read another user's quota of /", .run = quota },
    { .name = "acct", .what = "process accounting to a missing file", .run = accounting },
    { 0 },
};
