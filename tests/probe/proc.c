/* /proc and /sys: the ways they lead to other processes' files, and what they let read and write. */
#include "probe.h"

#include <dirent.h>
#include <ftw.h>
#include <linux/magic.h>
#include <sys/vfs.h>

static void proc_init_root(const struct probe *self)
{
    int fd = (int)MUST(self->text, open(self->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    judge_directory(fd, self->text);
}

static struct walk {
    int processes, opened, refusals;
} walk;

/* One link of a process: a directory must be the jail's, an executable must not be writable if foreign. */
static void follow(const char *path, bool executable)
{
    char why[256];
    trying("open(%s)", path);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && beyond(fd, why, sizeof why))
        outside("%s %s", path, why);
    if (fd < 0 && errno != ENOTDIR && errno != ENOENT) {
        walk.refusals++;
        note_refusal();
    }
    if (fd >= 0) {
        walk.opened++;
        close(fd);
    }
    if (executable && foreign_executable(path) && (fd = open(path, O_WRONLY | O_CLOEXEC)) >= 0)
        outside("%s, which is no file of the jail, can be written to", path);
}

static void follow_all(const char *process)
{
    static const char *const links[] = { "root", "cwd", "exe" };
    char path[600];
    walk.processes++;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(path, sizeof path, "/proc/%s/%s", process, links[i]);
        follow(path, strcmp(links[i], "exe") == 0);
    }
    snprintf(path, sizeof path, "/proc/%s/fd", process);
    DIR *descriptors = opendir(path);
    if (!descriptors)
        return;
    for (struct dirent *entry; (entry = readdir(descriptors));) {
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", process, entry->d_name);
        if (is_number(entry->d_name))
            follow(path, false);
    }
    closedir(descriptors);
}

static void proc_walk(const struct probe *self)
{
    (void)self;
    trying("opendir(/proc)");
    DIR *proc = opendir("/proc");
    if (!proc)
        refused();
    for (struct dirent *entry; (entry = readdir(proc));)
        if (is_number(entry->d_name))
            follow_all(entry->d_name);
    if (walk.opened)
        harmless("%d directories of %d processes lie in the jail, %d were refused", walk.opened,
                 walk.processes, walk.refusals);
    refused_as_noted();
}

/* Reads a file, or lists a directory, that must show nothing. */
static void readable(const struct probe *self)
{
    char text[4096];
    trying("open(%s)", self->text);
    int fd = open(self->text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        refused();
    DIR *directory = fdopendir(fd);
    if (directory) {
        int count = 0;
        while (readdir(directory))
            count++;
        if (count > 2)
            outside("%s has %d entries", self->text, count - 2);
        harmless("%s is an empty directory", self->text);
    }
    trying("read(%s)", self->text);
    ssize_t length = read(fd, text, sizeof text);
    if (length < 0)
        refused();
    if (length == 0)
        harmless("%s is empty", self->text);
    if (self->number)
        surface("%s can be read", self->text);
    outside("%s can be read", self->text);
}

/* Reading /proc/kmsg would take the messages from the host: opening it is permission enough. */
static void kmsg(const struct probe *self)
{
    (void)self;
    long fd = MUST("open(/proc/kmsg)", open("/proc/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct statfs of;
    /* An empty file of another file system over it is how jails hide it. */
    if (fstatfs((int)fd, &of) == 0 && of.f_type != PROC_SUPER_MAGIC)
        harmless("/proc/kmsg is hidden by another file");
    past("/proc/kmsg opens for reading");
}

static void kallsyms(const struct probe *self)
{
    unsigned long address;
    char line[512];
    trying("fopen(/proc/kallsyms)");
    FILE *symbols = fopen("/proc/kallsyms", "re");
    (void)self;
    if (!symbols)
        refused();
    while (fgets(line, sizeof line, symbols))
        if (sscanf(line, "%lx", &address) == 1 && address)
            outside("/proc/kallsyms has real addresses");
    harmless("/proc/kallsyms has no address");
}

/* Writes to a file what it already holds. */
static void rewritable(const struct probe *self)
{
    char text[4096];
    trying("open(%s, O_WRONLY)", self->text);
    int fd = open(self->text, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        refused();
    if (!read_text(self->text, text, sizeof text))
        past("%s opens for writing", self->text);
    trying("write(%s)", self->text);
    checked(write(fd, text, strlen(text)), 0);
}

/* As above, where even the same content would have an effect: writes nothing. */
static void openable(const struct probe *self)
{
    trying("open(%s, O_WRONLY)", self->text);
    int fd = open(self->text, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        refused();
    past("%s opens for writing", self->text);
}

static int writable_files, seen_files;

static int note_writable(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)position;
    bool process = strncmp(path, "/proc/", 6) == 0 && (path[6] >= '0' && path[6] <= '9');
    if (process || strncmp(path, "/proc/self", 10) == 0 || strncmp(path, "/proc/thread-self", 17) == 0)
        return FTW_SKIP_SUBTREE;
    if (kind != FTW_F || !S_ISREG(status->st_mode))
        return FTW_CONTINUE;
    seen_files++;
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        writable_files++;
        list("%s", path);
    }
    return FTW_CONTINUE;
}

static void writable_proc(const struct probe *self)
{
    (void)self;
    allow_seconds(50);
    trying("open(O_WRONLY) of each file of /proc and /sys");
    nftw("/proc", note_writable, 32, FTW_PHYS | FTW_ACTIONRETVAL);
    nftw("/sys", note_writable, 32, FTW_PHYS | FTW_ACTIONRETVAL);
    harmless("%d of %d files open for writing", writable_files, seen_files);
}

#define READ(NAME, PATH) { .name = NAME, .what = "read " PATH, .run = readable, .text = PATH }
#define REWRITE(NAME, PATH) \
    { .name = NAME, .what = "write to " PATH " what it holds", .run = rewritable, .text = PATH }
#define OPEN(NAME, PATH) { .name = NAME, .what = "open " PATH " for writing", .run = openable, .text = PATH }

const struct probe proc_probes[] = {
    { .name = "proc-1-root",
      .what = "open /proc/1/root, climb",
      .run = proc_init_root,
      .text = "/proc/1/root" },
    { .name = "proc-1-cwd", .what = "open /proc/1/cwd, climb", .run = proc_init_root, .text = "/proc/1/cwd" },
    { .name = "proc-walk", .what = "root, cwd, exe and descriptors of every process", .run = proc_walk },
    { .name = "kallsyms", .what = "kernel addresses in /proc/kallsyms", .run = kallsyms },
    { .name = "read-kmsg", .what = "open /proc/kmsg", .run = kmsg },
    READ("read-kcore", "/proc/kcore"),
    /* It shows only keys that we may see, yet numbers of the host. */
    { .name = "read-keys", .what = "read /proc/keys", .run = readable, .text = "/proc/keys", .number = 1 },
    READ("read-timer-list", "/proc/timer_list"),
    READ("read-sched-debug", "/proc/sched_debug"),
    READ("read-latency-stats", "/proc/latency_stats"),
    READ("read-acpi", "/proc/acpi"),
    READ("read-scsi", "/proc/scsi"),
    READ("read-firmware", "/sys/firmware"),
    READ("read-debugfs", "/sys/kernel/debug"),
    READ("read-powercap", "/sys/devices/virtual/powercap"),
    REWRITE("write-core-pattern", "/proc/sys/kernel/core_pattern"),
    REWRITE("write-modprobe", "/proc/sys/kernel/modprobe"),
    REWRITE("write-uevent-helper", "/sys/kernel/uevent_helper"),
    REWRITE("write-panic", "/proc/sys/kernel/panic"),
    OPEN("write-binfmt", "/proc/sys/fs/binfmt_misc/register"),
    OPEN("write-sysrq", "/proc/sysrq-trigger"),
    OPEN("write-drop-caches", "/proc/sys/vm/drop_caches"),
    OPEN("write-power-state", "/sys/power/state"),
    { .name = "writable-proc",
      .what = "list each file of /proc and /sys that opens for writing",
      .run = writable_proc },
    { 0 },
};
