/* Lying in wait for a process that enters the jail (CVE-2019-5736, CVE-2016-9962). */
#include "probe.h"

#include <dirent.h>
#include <sys/ptrace.h>

enum { NUMBERS = 1 << 22, HELD = 256 };
static unsigned char known[NUMBERS / 8]; /* the processes that we have dealt with */
static int seen, foreign, why;

static bool newcomer(int pid)
{
    bool old = known[pid / 8] & (1 << pid % 8);
    known[pid / 8] |= (unsigned char)(1 << pid % 8);
    return !old;
}

static void each_newcomer(void (*meet)(int pid))
{
    DIR *proc = opendir("/proc");
    if (!proc)
        refused();
    for (struct dirent *entry; (entry = readdir(proc));) {
        int pid = is_number(entry->d_name) ? atoi(entry->d_name) : 0;
        if (pid > 0 && pid < NUMBERS && newcomer(pid) && meet)
            meet(pid);
    }
    closedir(proc);
}

static struct {
    int fd, pid;
} held[HELD];
static int holding;

/* Keeps the newcomer's executable, to write to it once the process has ended. */
static void hold_executable(int pid)
{
    char path[64];
    seen++;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    /* It may exec a file of the jail while we look: what was foreign at first counts. */
    for (int look = 0; look < 50; look++) {
        bool strange = foreign_executable(path);
        trying("open(%s)", path);
        int fd = open(path, O_PATH | O_CLOEXEC);
        if (!strange && fd >= 0) {
            close(fd);
            continue;
        }
        if (fd < 0) {
            foreign += strange;
            why = strange ? errno : why;
            return;
        }
        foreign++;
        held[holding].fd = fd;
        held[holding].pid = pid;
        holding += holding + 1 < HELD;
        return;
    }
}

/* A link to a file of the jail after all? Then writing to it is no escape. */
static bool jail_has(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return !foreign_executable(path);
}

/* A sealed memfd opens for writing, and refuses the write. */
static bool sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_WRITE);
}

static void write_to_held(void)
{
    for (int i = 0; i < holding; i++) {
        char path[64];
        if (held[i].fd < 0)
            continue;
        if (jail_has(held[i].fd)) {
            held[i].fd = -1;
            foreign--;
            continue;
        }
        snprintf(path, sizeof path, "/proc/self/fd/%d", held[i].fd);
        trying("open(/proc/%d/exe, O_WRONLY)", held[i].pid);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        why = errno;
        if (fd >= 0 && !sealed(fd))
            outside("the executable of entering process %d can be written to", held[i].pid);
        if (fd >= 0) {
            why = EPERM;
            close(fd);
        }
    }
}

static void seize(int pid)
{
    char path[64];
    seen++;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    bool before = foreign_executable(path);
    trying("ptrace(SEIZE, %d)", pid);
    /* Our end detaches it again; it is never stopped. */
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0) {
        if (before && foreign_executable(path))
            outside("traced entering process %d while it was no program of the jail", pid);
    } else if (before) {
        foreign++;
        why = errno;
    }
}

static _Noreturn void watch(void (*meet)(int), void (*after)(void))
{
    if (options.count != 1 || !is_number(options.args[0]))
        untried("needs SECONDS");
    int seconds = atoi(options.args[0]);
    allow_seconds((unsigned)seconds);
    trying("opendir(/proc)");
    each_newcomer(NULL);
    double end = clock_now() + seconds;
    do {
        each_newcomer(meet);
        if (after)
            after();
    } while (clock_now() < end);
    if (!seen)
        untried("no process entered in %d seconds", seconds);
    if (!foreign)
        harmless("%d processes seen, each with a program of the jail", seen);
    errno = why;
    refused();
}

static void watch_executables(const struct probe *self)
{
    (void)self;
    watch(hold_executable, write_to_held);
}

static void watch_to_trace(const struct probe *self)
{
    (void)self;
    watch(seize, NULL);
}

const struct probe watch_probes[] = {
    { .name = "exe-watch",
      .what = "SECONDS: wait for entering processes, open their /proc/PID/exe for writing",
      .run = watch_executables,
      .only_asked = true },
    { .name = "ptrace-watch",
      .what = "SECONDS: wait for entering processes, trace them",
      .run = watch_to_trace,
      .only_asked = true },
    { 0 },
};
