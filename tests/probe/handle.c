/* open_by_handle_at: files by number instead of by path ("shocker", CVE-2014-3519). */
#include "probe.h"

#include <sched.h>

#define FD_PIDFS_ROOT (-10002) /* linux/fcntl.h, since 6.18 */
#define FD_NSFS_ROOT (-10003)
#define FILEID_INO32_GEN 1 /* include/linux/exportfs.h */
#define FILEID_NSFS 0xf1

union handle {
    struct file_handle head;
    unsigned char bytes[sizeof(struct file_handle) + 128];
};

/* Inode 2 is the root of ext2…4, 128 or 96 mostly that of xfs; generation 0 stands for any. */
static const unsigned roots[] = { 2, 128, 96, 1, 256, 64 };

static int open_inode(int mount, unsigned inode)
{
    union handle handle = { .head = { .handle_bytes = 8, .handle_type = FILEID_INO32_GEN } };
    memcpy(handle.head.f_handle, &inode, sizeof inode);
    return open_by_handle_at(mount, &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Opens the roots of the filesystem below that mount; ends in a verdict if that led beyond. */
static void try_inodes(int mount, const char *path)
{
    struct stat ours, found;
    char why[256];
    fstat(mount, &ours);
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        int fd = open_inode(mount, roots[i]);
        if (fd < 0)
            continue;
        if (beyond(fd, why, sizeof why))
            outside("inode %u by a descriptor of %s %s", roots[i], path, why);
        if (fstat(fd, &found) == 0 && found.st_ino != ours.st_ino)
            outside("inode %u by a descriptor of %s, whose mount begins at inode %lu", roots[i], path,
                    (unsigned long)ours.st_ino);
        close(fd);
    }
}

/* The handle that the kernel gives for a mount's own root, opened again. */
static bool reopen(int mount, const char *path)
{
    union handle handle = { .head = { .handle_bytes = 128 } };
    int id;
    trying("name_to_handle_at(%s)", path);
    if (name_to_handle_at(mount, "", &handle.head, &id, AT_EMPTY_PATH) < 0)
        return false;
    trying("open_by_handle_at(%s)", path);
    int fd = open_by_handle_at(mount, &handle.head, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void handle_mounts(const struct probe *self)
{
    static struct mount_line mounts[256];
    int opened = 0;
    (void)self;
    size_t count = read_mounts(mounts + 1, 255) + 1;
    strcpy(mounts[0].path, "/");
    for (size_t i = 0; i < count; i++) {
        int mount = open(mounts[i].path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (mount < 0)
            continue;
        if (reopen(mount, mounts[i].path))
            opened++;
        else if (errno != EOPNOTSUPP)
            note_refusal();
        try_inodes(mount, mounts[i].path);
        close(mount);
    }
    if (opened)
        harmless("handles open, but none led beyond the jail's mounts (%d of %zu)", opened, count);
    if (!noted_refusal())
        untried("no filesystem here has handles");
    refused_as_noted();
}

/* Opens the host's namespace of that type, by the numbers that a machine's first namespaces can have. */
static int open_namespace(unsigned type, unsigned inode)
{
    struct {
        unsigned long id;
        unsigned type, inode;
    } content = { 0, type, inode };
    union handle handle = { .head = { .handle_bytes = sizeof content, .handle_type = FILEID_NSFS } };
    for (content.id = 1; content.id < 8192; content.id++) {
        memcpy(handle.head.f_handle, &content, sizeof content);
        int fd = open_by_handle_at(FD_NSFS_ROOT, &handle.head, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 || (errno != ESTALE && errno != ENOENT))
            return fd;
    }
    return -1;
}

static void handle_namespaces(const struct probe *self)
{
    static const struct {
        const char *name;
        unsigned type;
    } types[] = {
        { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS },   { "user", CLONE_NEWUSER },
        { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },   { "cgroup", CLONE_NEWCGROUP },
        { "mnt", CLONE_NEWNS },  { "time", CLONE_NEWTIME },
    };
    int same = 0;
    (void)self;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        trying("open_by_handle_at(nsfs %s)", types[i].name);
        if (open_namespace(types[i].type, host_namespace(types[i].name)) < 0)
            note_refusal();
        else if (!in_host_namespace(types[i].name))
            outside("opened the host's %s namespace by its handle", types[i].name);
        else
            same++;
    }
    if (same)
        harmless("%d namespaces opened by handle, which the jail shares with the host", same);
    refused_as_noted();
}

/* Handles of processes are counted up, so those of others lie nearby. */
static void handle_processes(const struct probe *self)
{
    union handle handle = { .head = { .handle_bytes = 128 } };
    unsigned long number;
    int id, opened = 0;
    (void)self;
    int own = (int)MUST("pidfd_open", syscall(SYS_pidfd_open, getpid(), 0));
    MUST("name_to_handle_at(pidfs)", name_to_handle_at(own, "", &handle.head, &id, AT_EMPTY_PATH));
    memcpy(&number, handle.head.f_handle, sizeof number);
    trying("open_by_handle_at(pidfs)");
    for (unsigned long other = number; other > 0 && number - other < 20000; other--) {
        char path[64], text[512];
        memcpy(handle.head.f_handle, &other, sizeof other);
        int fd = open_by_handle_at(FD_PIDFS_ROOT, &handle.head, 0);
        if (fd < 0) {
            note_refusal();
            continue;
        }
        opened++;
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        if (read_text(path, text, sizeof text) && strstr(text, "Pid:\t0"))
            outside("opened a process by its handle that has no number in the jail");
        close(fd);
    }
    if (opened)
        harmless("%d processes opened by handle, all of the jail", opened);
    refused_as_noted();
}

const struct probe handle_probes[] = {
    { .name = "handle-mounts",
      .what = "open_by_handle_at: the root inode below each mount",
      .run = handle_mounts },
    { .name = "handle-nsfs", .what = "open_by_handle_at: the host's namespaces", .run = handle_namespaces },
    { .name = "handle-pidfs",
      .what = "open_by_handle_at: processes outside the jail",
      .run = handle_processes },
    { 0 },
};
