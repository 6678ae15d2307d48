/* Mounts that protect: a read-only root, and what lies on files of /proc and /sys. */
#include "probe.h"

#include <sys/mount.h>

static struct mount_line lines[256];

static bool option(const char *options, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = options; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || !at[length]))
            return true;
    }
    return false;
}

/* A remount must repeat the flags that a mount has. */
static unsigned long flags_of(const char *options)
{
    static const struct {
        const char *name;
        unsigned long flag;
    } flags[] = {
        { "nosuid", MS_NOSUID },   { "nodev", MS_NODEV },           { "noexec", MS_NOEXEC },
        { "noatime", MS_NOATIME }, { "nodiratime", MS_NODIRATIME }, { "relatime", MS_RELATIME },
    };
    unsigned long all = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (option(options, flags[i].name))
            all |= flags[i].flag;
    return all;
}

static int make_writable_by_remount(const struct mount_line *line)
{
    unsigned long flags = MS_REMOUNT | MS_BIND | flags_of(line->options);
    bool was_read_only = option(line->options, "ro");
    if (mount(NULL, line->path, NULL, flags, NULL) < 0)
        return -1;
    if (was_read_only)
        mount(NULL, line->path, NULL, flags | MS_RDONLY, NULL);
    return 0;
}

static int make_writable_by_setattr(const struct mount_line *line)
{
    struct mount_attr clear = { .attr_clr = MOUNT_ATTR_RDONLY }, set = { .attr_set = MOUNT_ATTR_RDONLY };
    bool was_read_only = option(line->options, "ro");
    if (mount_setattr(AT_FDCWD, line->path, 0, &clear, sizeof clear) < 0)
        return -1;
    if (was_read_only)
        mount_setattr(AT_FDCWD, line->path, 0, &set, sizeof set);
    return 0;
}

/* MNT_EXPIRE only marks a mount: EAGAIN or EBUSY, but nothing is unmounted. Using it clears the mark. */
static int would_umount(const struct mount_line *line)
{
    int result = umount2(line->path, MNT_EXPIRE);
    int why = errno;
    int fd = open(line->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    errno = why;
    return result < 0 && why != EAGAIN && why != EBUSY ? -1 : 0;
}

static const struct {
    const char *name;
    int (*change)(const struct mount_line *);
} changes[] = {
    { "mount(MS_REMOUNT", make_writable_by_remount },
    { "mount_setattr(clear RDONLY", make_writable_by_setattr },
    { "umount2(MNT_EXPIRE", would_umount },
};

enum { REMOUNT, SETATTR, UMOUNT };

/* Filesystems that are mounted there for their own sake hide nothing. */
static bool is_mask(const struct mount_line *line)
{
    static const char *const types[] = { "cgroup",  "cgroup2",     "securityfs", "debugfs",
                                         "tracefs", "bpf",         "pstore",     "configfs",
                                         "fusectl", "binfmt_misc", "efivarfs",   "selinuxfs" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(line->type, types[i]) == 0)
            return false;
    return strncmp(line->path, "/sys/fs/cgroup", 14) != 0;
}

/* The topmost mount of the root: the last line that has it. */
static void root_writable(const struct probe *self)
{
    size_t count = read_mounts(lines, 256);
    const struct mount_line *root = NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(lines[i].path, "/") == 0)
            root = &lines[i];
    if (!root)
        untried("the mount table has no root");
    trying("%s, /)", changes[self->number].name);
    if (changes[self->number].change(root) < 0)
        refused();
    if (option(root->options, "ro"))
        outside("the read-only root became writable");
    within("mnt", "may change the flags of /, which is writable anyway");
}

static void masks(const struct probe *self)
{
    size_t count = read_mounts(lines, 256), tried = 0;
    for (size_t i = 0; i < count; i++) {
        const struct mount_line *line = &lines[i];
        if (strncmp(line->path, "/proc/", 6) != 0 && strncmp(line->path, "/sys/", 5) != 0)
            continue;
        if (self->number == UMOUNT ? !is_mask(line) : !option(line->options, "ro"))
            continue;
        tried++;
        trying("%s, %s)", changes[self->number].name, line->path);
        if (changes[self->number].change(line) == 0)
            outside("may take the protection off %s", line->path);
        note_refusal();
        list("%s refused for %s", errno_name(errno), line->path);
    }
    if (!tried)
        untried("no such mount below /proc or /sys");
    refused_as_noted();
}

const struct probe mask_probes[] = {
    { .name = "remount-root", .what = "remount / writable", .run = root_writable, .number = REMOUNT },
    { .name = "setattr-root", .what = "mount_setattr / writable", .run = root_writable, .number = SETATTR },
    { .name = "remount-masks",
      .what = "remount writable what is read-only below /proc and /sys",
      .run = masks,
      .number = REMOUNT },
    { .name = "setattr-masks",
      .what = "mount_setattr writable what is read-only below /proc and /sys",
      .run = masks,
      .number = SETATTR },
    { .name = "umount-masks",
      .what = "unmount what hides files of /proc and /sys",
      .run = masks,
      .number = UMOUNT },
    { 0 },
};
