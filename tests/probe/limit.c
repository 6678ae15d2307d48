/* Limits and priorities: taking more than one's share. */
#include "probe.h"

#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void raise_limit(const struct probe *self)
{
    struct rlimit limit;
    getrlimit((__rlimit_resource_t)self->number, &limit);
    if (limit.rlim_max == RLIM_INFINITY)
        untried("the hard limit of %s is infinite", self->text);
    limit.rlim_max++;
    trying("setrlimit(%s)", self->text);
    if (setrlimit((__rlimit_resource_t)self->number, &limit) < 0)
        refused();
    outside("raised the hard limit of %s above %llu", self->text, (unsigned long long)limit.rlim_max - 1);
}

static void real_time(const struct probe *self)
{
    struct sched_param parameter = { .sched_priority = 1 };
    MUST("sched_setscheduler", sched_setscheduler(0, (int)self->number, &parameter));
    parameter.sched_priority = 0;
    sched_setscheduler(0, SCHED_OTHER, &parameter);
    outside("ran with %s", self->text);
}

static void best_priority(const struct probe *self)
{
    (void)self;
    if (getpriority(PRIO_PROCESS, 0) == -20)
        untried("priority is -20 already");
    MUST("setpriority(-20)", setpriority(PRIO_PROCESS, 0, -20));
    outside("ran with priority -20");
}

static void io_priority(const struct probe *self)
{
    (void)self;
    MUST("ioprio_set(RT)", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
    outside("ran with real-time input and output");
}

static void lock_memory(const struct probe *self)
{
    struct rlimit limit;
    (void)self;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur > 256 << 20)
        untried("the limit of locked memory is above 256 MiB");
    size_t size = (size_t)limit.rlim_cur + 4096 * 4;
    /* Never touched, so it takes no memory unless the lock is allowed. */
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        untried("mmap: %s", errno_name(errno));
    MUST("mlock", mlock(memory, size));
    outside("locked %zu bytes, more than the limit", size);
}

static void spare_from_killer(const struct probe *self)
{
    char now[16];
    (void)self;
    if (!read_text("/proc/self/oom_score_adj", now, sizeof now))
        untried("/proc/self/oom_score_adj: %s", errno_name(errno));
    int fd =
        (int)MUST("open(/proc/self/oom_score_adj)", open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    MUST("write(oom_score_adj, -1000)", write(fd, "-1000", 5));
    outside("safe from the out-of-memory killer, before at %s", now);
}

/* Instances are counted per user and user namespace; the host must keep its own. */
static void inotify_instances(const struct probe *self)
{
    int count = 0;
    (void)self;
    trying("inotify_init");
    while (count < 1000 && inotify_init1(IN_CLOEXEC | IN_NONBLOCK) >= 0)
        count++;
    if (!count)
        refused();
    harmless("%d inotify instances, then %s", count, count == 1000 ? "stopped" : errno_name(errno));
}

#define RAISE(NAME, LIMIT)                    \
    { .name = NAME,                           \
      .what = "raise the hard limit " #LIMIT, \
      .run = raise_limit,                     \
      .number = LIMIT,                        \
      .text = #LIMIT }
#define POLICY(NAME, POLICY) \
    { .name = NAME, .what = "schedule as " #POLICY, .run = real_time, .number = POLICY, .text = #POLICY }

const struct probe limit_probes[] = {
    RAISE("rlimit-nofile", RLIMIT_NOFILE),
    RAISE("rlimit-nproc", RLIMIT_NPROC),
    RAISE("rlimit-memlock", RLIMIT_MEMLOCK),
    POLICY("sched-fifo", SCHED_FIFO),
    POLICY("sched-rr", SCHED_RR),
    { .name = "setpriority", .what = "setpriority(-20)", .run = best_priority },
    { .name = "ioprio", .what = "ioprio_set to real time", .run = io_priority },
    { .name = "mlock", .what = "lock more memory than the limit", .run = lock_memory },
    { .name = "oom-score", .what = "write -1000 to oom_score_adj", .run = spare_from_killer },
    { .name = "inotify", .what = "take up to 1000 inotify instances", .run = inotify_instances },
    { 0 },
};
