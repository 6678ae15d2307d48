/* Other processes: tracing, memory, descriptors, signals. `--pid` names one outside the jail. */
#include "probe.h"

#include <sys/ptrace.h>
#include <sys/uio.h>

static pid_t victim(void)
{
    if (options.pid <= 0)
        untried("needs --pid HOST-PID");
    return options.pid;
}

static void trace_init(const struct probe *self)
{
    (void)self;
    bool foreign = foreign_executable("/proc/1/exe");
    /* Not stopped, and let go when we end. */
    MUST("ptrace(SEIZE, 1)", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
    if (foreign)
        surface("traced process 1, whose program is no file of the jail");
    within("pid", "traced process 1");
}

static void trace_victim(const struct probe *self)
{
    (void)self;
    MUST("ptrace(SEIZE)", ptrace(PTRACE_SEIZE, victim(), NULL, NULL));
    outside("traced process %d", victim());
}

/* No process has anything mapped at address 1: EFAULT comes after the permission. */
static void read_memory(const struct probe *self)
{
    char byte;
    struct iovec here = { &byte, 1 }, there = { (void *)1, 1 };
    (void)self;
    pid_t pid = victim();
    trying("process_vm_readv");
    checked(process_vm_readv(pid, &here, 1, &there, 1, 0), EFAULT);
}

static void write_memory(const struct probe *self)
{
    char byte = 0;
    struct iovec here = { &byte, 1 }, there = { (void *)1, 1 };
    (void)self;
    pid_t pid = victim();
    trying("process_vm_writev");
    checked(process_vm_writev(pid, &here, 1, &there, 1, 0), EFAULT);
}

static void open_pidfd(const struct probe *self)
{
    (void)self;
    MUST("pidfd_open", syscall(SYS_pidfd_open, victim(), 0));
    outside("a descriptor of process %d", victim());
}

static void steal_descriptor(const struct probe *self)
{
    (void)self;
    int fd = (int)MUST("pidfd_open", syscall(SYS_pidfd_open, victim(), 0));
    MUST("pidfd_getfd", syscall(SYS_pidfd_getfd, fd, 0, 0));
    outside("descriptor 0 of process %d", victim());
}

/* Of process 1: in another jail's or the host's place it would be theirs. */
static void steal_from_init(const struct probe *self)
{
    (void)self;
    int fd = (int)MUST("pidfd_open(1)", syscall(SYS_pidfd_open, 1, 0));
    MUST("pidfd_getfd(1, 0)", syscall(SYS_pidfd_getfd, fd, 0, 0));
    within("pid", "took descriptor 0 of process 1");
}

/* Signal 0 only asks whether a signal would be allowed. */
static void signal_victim(const struct probe *self)
{
    (void)self;
    MUST("kill(PID, 0)", kill(victim(), 0));
    outside("may signal process %d", victim());
}

static void signal_all(const struct probe *self)
{
    (void)self;
    MUST("kill(-1, 0)", kill(-1, 0));
    within("pid", "may signal all");
}

/* Names the receiver of SIGIO; none is ever sent. */
static void own_signal(const struct probe *self)
{
    int ends[2];
    (void)self;
    MUST("pipe", pipe(ends));
    MUST("fcntl(F_SETOWN)", fcntl(ends[0], F_SETOWN, victim()));
    outside("SIGIO may be sent to process %d", victim());
}

static void kcmp_victim(const struct probe *self)
{
    (void)self;
    MUST("kcmp", syscall(SYS_kcmp, getpid(), victim(), 0, 0, 0));
    outside("compared descriptors with process %d", victim());
}

const struct probe process_probes[] = {
    { .name = "ptrace-init", .what = "trace process 1", .run = trace_init },
    { .name = "ptrace-pid", .what = "trace process --pid", .run = trace_victim },
    { .name = "vm-read-pid", .what = "process_vm_readv of process --pid", .run = read_memory },
    { .name = "vm-write-pid", .what = "process_vm_writev of process --pid", .run = write_memory },
    { .name = "pidfd-open-pid", .what = "pidfd_open of process --pid", .run = open_pidfd },
    { .name = "pidfd-getfd-pid", .what = "take a descriptor of process --pid", .run = steal_descriptor },
    { .name = "pidfd-getfd-init", .what = "take a descriptor of process 1", .run = steal_from_init },
    { .name = "kcmp-pid", .what = "kcmp with process --pid", .run = kcmp_victim },
    { .name = "signal-pid", .what = "signal 0 to process --pid", .run = signal_victim },
    { .name = "signal-all", .what = "signal 0 to every process, kill(-1)", .run = signal_all },
    { .name = "sigio-pid", .what = "F_SETOWN to process --pid", .run = own_signal },
    { 0 },
};
