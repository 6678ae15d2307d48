/* Namespaces: making new ones, joining those of others. */
#include "probe.h"

#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static void fill_user_capabilities(char *text, size_t size)
{
    char status[4096];
    const char *effective =
        read_text("/proc/self/status", status, sizeof status) ? strstr(status, "CapEff:\t") : NULL;
    snprintf(text, size, "%.16s", effective ? effective + 8 : "?");
}

/* In the process that is in the new namespace. */
static _Noreturn void judge_new(const struct probe *self)
{
    char capabilities[32];
    if (self->number == CLONE_NEWUSER) {
        fill_user_capabilities(capabilities, sizeof capabilities);
        surface("a new user namespace with capabilities %s", capabilities);
    }
    harmless("a new %s namespace", self->text);
}

static void by_unshare(const struct probe *self)
{
    trying("unshare(%s)", self->text);
    if (unshare((int)self->number) < 0)
        refused();
    judge_new(self);
}

static void by_clone(const struct probe *self)
{
    trying("clone(%s)", self->text);
    long child = syscall(SYS_clone, self->number | SIGCHLD, 0, 0, 0, 0);
    if (child < 0)
        refused();
    if (child == 0)
        judge_new(self);
    await((pid_t)child);
}

static void by_clone3(const struct probe *self)
{
    struct clone_args arguments = { .flags = (unsigned long)self->number, .exit_signal = SIGCHLD };
    trying("clone3(%s)", self->text);
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child < 0)
        refused();
    if (child == 0)
        judge_new(self);
    await((pid_t)child);
}

/* Joins what the descriptor stands for, in a child, as it cannot be undone. */
static bool join(int fd, int *why)
{
    int status = 0;
    pid_t child = spawn();
    if (child == 0)
        _exit(setns(fd, 0) == 0 ? 0 : errno);
    waitpid(child, &status, 0);
    *why = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
    return *why == 0;
}

static void join_init(const struct probe *self)
{
    static const char *const types[] = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time" };
    int why, same = 0;
    (void)self;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char path[64], theirs[64], ours[64];
        snprintf(path, sizeof path, "/proc/1/ns/%s", types[i]);
        trying("open(%s)", path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : readlink(path, theirs, sizeof theirs - 1);
        if (length < 0) {
            note_refusal();
            continue;
        }
        theirs[length] = 0;
        if (namespace_name(types[i], ours, sizeof ours) && strcmp(ours, theirs) == 0) {
            same++;
            continue;
        }
        trying("setns(%s)", path);
        if (join(fd, &why))
            outside("joined %s of process 1, ours is %s", theirs, ours);
        errno = why;
        note_refusal();
    }
    if (!noted_refusal())
        harmless("%d namespaces of process 1 are our own", same);
    refused_as_noted();
}

/* Is that the namespace that we are in? */
static bool is_own(int fd)
{
    char path[64], name[64], type[16], ours[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, name, sizeof name - 1);
    name[length < 0 ? 0 : length] = 0;
    return sscanf(name, "%15[a-z]", type) == 1 && namespace_name(type, ours, sizeof ours) &&
           strcmp(name, ours) == 0;
}

/* Of the arguments, which name namespace files, and of the inherited descriptors. */
static void join_given(const struct probe *self)
{
    int why, own = 0;
    (void)self;
    for (int i = 0; i < options.count; i++) {
        trying("open(%s)", options.args[i]);
        int fd = open(options.args[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            refused();
        trying("setns(%s)", options.args[i]);
        if (is_own(fd))
            own++;
        else if (join(fd, &why))
            outside("joined %s", options.args[i]);
        else {
            errno = why;
            note_refusal();
        }
        close(fd);
    }
    for (int fd = 0; fd < 1024; fd++) {
        if (ioctl(fd, NS_GET_NSTYPE) < 0)
            continue;
        trying("setns(%d)", fd);
        if (is_own(fd))
            own++;
        else if (join(fd, &why))
            outside("joined the namespace of inherited descriptor %d", fd);
        else {
            errno = why;
            note_refusal();
        }
    }
    if (!noted_refusal())
        harmless("%d namespaces inherited or named, all our own", own);
    refused_as_noted();
}

/* The namespace above, or the user namespace that owns this one, as a descriptor. */
static void get_parent(const struct probe *self)
{
    static const struct {
        const char *type;
        unsigned long request;
    } ways[] = {
        { "user", NS_GET_PARENT }, { "pid", NS_GET_PARENT }, { "user", NS_GET_USERNS },
        { "net", NS_GET_USERNS },  { "mnt", NS_GET_USERNS }, { "uts", NS_GET_USERNS },
    };
    int own = 0;
    (void)self;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char path[64], found[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", ways[i].type);
        int fd = (int)MUST("open(/proc/self/ns)", open(path, O_RDONLY | O_CLOEXEC));
        trying("ioctl(%s, %s)", path, ways[i].request == NS_GET_PARENT ? "NS_GET_PARENT" : "NS_GET_USERNS");
        int other = ioctl(fd, ways[i].request);
        if (other < 0) {
            note_refusal();
            continue;
        }
        snprintf(path, sizeof path, "/proc/self/fd/%d", other);
        ssize_t length = readlink(path, found, sizeof found - 1);
        found[length < 0 ? 0 : length] = 0;
        if (!is_own(other))
            outside("got %s, which is not our own", found);
        own++;
    }
    if (!noted_refusal())
        harmless("%d namespaces belong to our own user namespace", own);
    refused_as_noted();
}

#define THREE(TYPE, FLAG)                                                                                   \
    { .name = "unshare-" TYPE,                                                                              \
      .what = "unshare(" #FLAG ")",                                                                         \
      .run = by_unshare,                                                                                    \
      .number = FLAG,                                                                                       \
      .text = TYPE },                                                                                       \
        { .name = "clone-" TYPE,                                                                            \
          .what = "clone(" #FLAG ")",                                                                       \
          .run = by_clone,                                                                                  \
          .number = FLAG,                                                                                   \
          .text = TYPE },                                                                                   \
    {                                                                                                       \
        .name = "clone3-" TYPE, .what = "clone3(" #FLAG ")", .run = by_clone3, .number = FLAG, .text = TYPE \
    }

const struct probe namespace_probes[] = {
    THREE("user", CLONE_NEWUSER),
    THREE("mnt", CLONE_NEWNS),
    THREE("pid", CLONE_NEWPID),
    THREE("net", CLONE_NEWNET),
    THREE("uts", CLONE_NEWUTS),
    THREE("ipc", CLONE_NEWIPC),
    THREE("cgroup", CLONE_NEWCGROUP),
    { .name = "unshare-time",
      .what = "unshare(CLONE_NEWTIME)",
      .run = by_unshare,
      .number = CLONE_NEWTIME,
      .text = "time" },
    { .name = "clone3-time",
      .what = "clone3(CLONE_NEWTIME)",
      .run = by_clone3,
      .number = CLONE_NEWTIME,
      .text = "time" },
    { .name = "setns-init", .what = "join the namespaces of process 1", .run = join_init },
    { .name = "setns",
      .what = "[FILE…] join the namespaces of inherited descriptors and named files",
      .run = join_given },
    { .name = "ns-parent", .what = "get the namespaces above by ioctl", .run = get_parent },
    { 0 },
};
