/* Control groups: release_agent (CVE-2022-0492), writable hierarchies, the host's paths. */
#include "probe.h"

#include <sched.h>
#include <sys/mount.h>

static struct mount_line lines[256];

bool rules_cgroup(int directory, const char *file)
{
    char text[4096] = "x";
    bool agent = strstr(file, "release_agent") != NULL;
    int fd = openat(directory, file, (agent ? O_RDWR : O_WRONLY) | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = agent ? read(fd, text, sizeof text - 1) : 1;
    /* An empty agent is written as an empty line. */
    if (length == 0)
        text[length++] = '\n';
    bool taken = length > 0 && pwrite(fd, text, (size_t)length, 0) == length;
    int why = errno;
    close(fd);
    errno = why;
    return taken || (!agent && why == EINVAL);
}

/* In each mounted hierarchy, at the top of what is mounted. */
static void each_hierarchy(const struct probe *self)
{
    const char *file = self->text;
    size_t count = read_mounts(lines, 256), tried = 0;
    for (size_t i = 0; i < count; i++) {
        char path[320];
        if (strncmp(lines[i].type, "cgroup", 6) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", lines[i].path, file);
        tried++;
        trying("write(%s)", path);
        if (strcmp(file, "cgroup.procs") == 0) {
            if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
                within("cgroup", "%s opens for writing", path);
        } else if (rules_cgroup(AT_FDCWD, path))
            outside("%s takes what we write", path);
        if (errno != ENOENT)
            note_refusal();
    }
    if (noted_refusal())
        refused_as_noted();
    harmless("%zu hierarchies are mounted, none shows %s", tried, file);
}

/* The path is relative to the root of our cgroup namespace: `/..` lies above it. */
static void own_path(const struct probe *self)
{
    char text[4096];
    (void)self;
    trying("read(/proc/self/cgroup)");
    if (!read_text("/proc/self/cgroup", text, sizeof text))
        refused();
    char *rest = text, *line, worst[300] = "/";
    while ((line = strsep(&rest, "\n")) && *line) {
        const char *path = strrchr(line, ':');
        list("%s", line);
        if (path && strcmp(path + 1, "/") != 0)
            snprintf(worst, sizeof worst, "%s", path + 1);
    }
    if (strncmp(worst, "/..", 3) == 0)
        outside("our cgroup lies outside our cgroup namespace: %s", worst);
    within("cgroup", "path %s", worst);
}

/* A hierarchy that exists, by one of its controllers: mounting it makes nothing new. */
static bool mount_existing_v1(const char *point)
{
    char name[64];
    int hierarchy;
    FILE *table = fopen("/proc/cgroups", "re");
    bool mounted = false;
    char line[256];
    errno = ENODEV;
    while (table && !mounted && fgets(line, sizeof line, table))
        if (sscanf(line, "%63s %d", name, &hierarchy) == 2 && *name != '#' && hierarchy > 0) {
            trying("mount(cgroup, %s)", name);
            mounted = mount("probe", point, "cgroup", 0, name) == 0;
        }
    int why = errno;
    if (table)
        fclose(table);
    errno = why;
    return mounted;
}

static _Noreturn void mount_and_judge(const char *point, const char *how)
{
    if (!mount_existing_v1(point))
        refused();
    int directory = (int)MUST("open", open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    umount2(point, MNT_DETACH);
    judge_filesystem(directory, "cgroup", how);
}

static void mount_v1(const struct probe *self)
{
    (void)self;
    mount_and_judge(in_scratch("dir"), "a cgroup hierarchy");
}

/* CVE-2022-0492: the same with the privileges of a user namespace of our own. */
static void mount_v1_unprivileged(const struct probe *self)
{
    char *point = in_scratch("dir");
    (void)self;
    MUST("unshare(user, mnt, cgroup)", unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP));
    mount_and_judge(point, "a cgroup hierarchy in a user namespace of our own");
}

const struct probe cgroup_probes[] = {
    { .name = "release-agent",
      .what = "write to release_agent of each mounted hierarchy",
      .run = each_hierarchy,
      .text = "release_agent" },
    { .name = "devices-allow",
      .what = "write no rule to devices.allow of each mounted hierarchy",
      .run = each_hierarchy,
      .text = "devices.allow" },
    { .name = "cgroup-procs",
      .what = "open cgroup.procs of each mounted hierarchy",
      .run = each_hierarchy,
      .text = "cgroup.procs" },
    { .name = "cgroup-path", .what = "our cgroup as /proc/self/cgroup tells it", .run = own_path },
    { .name = "mount-cgroup",
      .what = "mount a version 1 hierarchy, write to its release_agent",
      .run = mount_v1 },
    { .name = "mount-cgroup-userns",
      .what = "likewise in a user namespace of our own",
      .run = mount_v1_unprivileged },
    { 0 },
};
