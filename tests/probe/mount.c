/* New mounts: by mount(2) and by the new calls. What is mounted is unmounted again. */
#include "probe.h"

#include <sys/mount.h>

static bool opens(int directory, const char *path, int flags)
{
    int fd = openat(directory, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void judge_filesystem(int directory, const char *type, const char *how)
{
    static const struct {
        const char *type, *path;
        int flags;
    } treasures[] = {
        { "proc", "sys/kernel/core_pattern", O_WRONLY },
        { "proc", "kcore", O_RDONLY },
        { "proc", "sysrq-trigger", O_WRONLY },
        { "proc", "sys/kernel/panic", O_WRONLY },
        { "sysfs", "kernel/uevent_helper", O_WRONLY },
        { "sysfs", "power/state", O_WRONLY },
        { "sysfs", "kernel/profiling", O_WRONLY },
        { "sysfs", "kernel/mm/transparent_hugepage/enabled", O_WRONLY },
        { "sysfs", "kernel/mm/ksm/run", O_WRONLY },
    };
    static const char *const rules[] = { "release_agent", "devices.allow" };
    for (size_t i = 0; i < sizeof treasures / sizeof *treasures; i++)
        if (strcmp(type, treasures[i].type) == 0 && opens(directory, treasures[i].path, treasures[i].flags))
            outside("%s: %s opens for %s", how, treasures[i].path,
                    treasures[i].flags == O_RDONLY ? "reading" : "writing");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(type, "cgroup") == 0 && rules_cgroup(directory, rules[i]))
            outside("%s: %s takes what we write", how, rules[i]);
    if (strncmp(type, "cgroup", 6) == 0 && opens(directory, "cgroup.procs", O_WRONLY))
        within("cgroup", "%s: cgroup.procs opens for writing", how);
    harmless("%s: nothing in it that the jail must not have", how);
}

/* Where to mount: a directory of our own, or one that every root has. */
static const char *mount_point(void)
{
    static const char *const places[] = { "/mnt", "/srv", "/media", "/opt", "/home", "/tmp" };
    if (scratch_or_null())
        return in_scratch("dir");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    untried("no directory to mount on");
}

/* The mounted tree stays reachable by the descriptor alone. */
static int take_off(const char *point)
{
    int directory = (int)MUST("open", open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    MUST("umount2", umount2(point, MNT_DETACH));
    return directory;
}

static void mount_fresh(const struct probe *self)
{
    char how[64];
    const char *point = mount_point();
    trying("mount(%s)", self->text);
    if (mount("probe", point, self->text, 0, NULL) < 0)
        refused();
    int directory = take_off(point);
    snprintf(how, sizeof how, "a fresh %s", self->text);
    if (self->number)
        outside("mounted %s, of which the kernel has only one", self->text);
    judge_filesystem(directory, self->text, how);
}

static void mount_overlay(const struct probe *self)
{
    char data[512];
    const char *point = in_scratch("dir"), *one = in_scratch("target"), *two = in_scratch("moved");
    (void)self;
    MUST("mkdir", mkdir(one, 0755));
    MUST("mkdir", mkdir(two, 0755));
    snprintf(data, sizeof data, "lowerdir=%s:%s", one, two);
    MUST("mount(overlay)", mount("probe", point, "overlay", MS_RDONLY, data));
    take_off(point);
    within("mnt", "mounted an overlay");
}

static void mount_bind(const struct probe *self)
{
    char how[64];
    const char *point = mount_point();
    trying("mount(%s, bind)", self->text);
    if (mount(self->text, point, NULL, MS_BIND, NULL) < 0)
        refused();
    int directory = take_off(point);
    snprintf(how, sizeof how, "a bind of %s alone", self->text);
    if (strcmp(self->text, "/") == 0)
        within("mnt", "bound /");
    judge_filesystem(directory, strcmp(self->text, "/proc") == 0 ? "proc" : "sysfs", how);
}

static void mount_by_fsopen(const struct probe *self)
{
    char how[64];
    const char *point = mount_point();
    trying("fsopen(%s)", self->text);
    int context = fsopen(self->text, FSOPEN_CLOEXEC);
    if (context < 0)
        refused();
    MUST("fsconfig(CREATE)", fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int tree = (int)MUST("fsmount", fsmount(context, FSMOUNT_CLOEXEC, 0));
    bool attached = move_mount(tree, "", AT_FDCWD, point, MOVE_MOUNT_F_EMPTY_PATH) == 0;
    if (attached)
        umount2(point, MNT_DETACH);
    snprintf(how, sizeof how, "a %s %s by fsopen", attached ? "mounted" : "detached", self->text);
    judge_filesystem(tree, self->text, how);
}

/* Without AT_RECURSIVE the clone comes without the masks that lie on the original. */
static void clone_tree(const struct probe *self)
{
    char how[64];
    trying("open_tree(%s, CLONE)", self->text);
    int tree = open_tree(AT_FDCWD, self->text, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        refused();
    snprintf(how, sizeof how, "a clone of %s alone", self->text);
    if (strcmp(self->text, "/") == 0)
        within("mnt", "cloned /");
    judge_filesystem(tree, strcmp(self->text, "/proc") == 0 ? "proc" : "sysfs", how);
}

#define FRESH(NAME, TYPE) { .name = NAME, .what = "mount a fresh " TYPE, .run = mount_fresh, .text = TYPE }
#define GLOBAL(NAME, TYPE) \
    { .name = NAME, .what = "mount the host's " TYPE, .run = mount_fresh, .text = TYPE, .number = 1 }
#define FSOPEN(NAME, TYPE) \
    { .name = NAME, .what = "fsopen, fsmount, move_mount of " TYPE, .run = mount_by_fsopen, .text = TYPE }
#define BIND(NAME, PATH) \
    { .name = NAME, .what = "bind " PATH " without what is mounted below", .run = mount_bind, .text = PATH }
#define CLONE(NAME, PATH)                                                  \
    { .name = NAME,                                                        \
      .what = "open_tree clone of " PATH " without what is mounted below", \
      .run = clone_tree,                                                   \
      .text = PATH }

const struct probe mount_probes[] = {
    FRESH("mount-proc", "proc"),
    FRESH("mount-sysfs", "sysfs"),
    FRESH("mount-tmpfs", "tmpfs"),
    FRESH("mount-devpts", "devpts"),
    FRESH("mount-mqueue", "mqueue"),
    FRESH("mount-cgroup2", "cgroup2"),
    GLOBAL("mount-devtmpfs", "devtmpfs"),
    GLOBAL("mount-debugfs", "debugfs"),
    GLOBAL("mount-tracefs", "tracefs"),
    GLOBAL("mount-securityfs", "securityfs"),
    GLOBAL("mount-configfs", "configfs"),
    FRESH("mount-bpffs", "bpf"),
    { .name = "mount-overlay", .what = "mount an overlay", .run = mount_overlay },
    BIND("bind-root", "/"),
    BIND("bind-unmask-proc", "/proc"),
    BIND("bind-unmask-sys", "/sys"),
    FSOPEN("fsopen-proc", "proc"),
    FSOPEN("fsopen-sysfs", "sysfs"),
    FSOPEN("fsopen-tmpfs", "tmpfs"),
    CLONE("open-tree-root", "/"),
    CLONE("open-tree-unmask-proc", "/proc"),
    CLONE("open-tree-unmask-sys", "/sys"),
    { 0 },
};
