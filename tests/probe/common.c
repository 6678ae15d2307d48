/* What several areas need: places, namespaces, the jail's root, the mount table. */
#include "probe.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <time.h>

/* Never recursive: a probe may have mounted the host's root somewhere below. */
void remove_scratch(const char *path)
{
    static const char *const mounts[] = { "dir", "target" }, *const files[] = { "file", "node", "moved" },
                             *const directories[] = { "moved", "dir/sub", "dir", "target" };
    int scratch = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (scratch < 0)
        return;
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s/%s", path, mounts[i]);
        umount2(name, MNT_DETACH);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlinkat(scratch, files[i], 0);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        unlinkat(scratch, directories[i], AT_REMOVEDIR);
    close(scratch);
    rmdir(path);
}

char *in_scratch(const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", scratch(), name) < 0)
        untried("no memory");
    return path;
}

pid_t spawn(void)
{
    pid_t child = fork();
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

bool read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return false;
    ssize_t length = read(file, text, size - 1);
    int saved = errno;
    close(file);
    errno = saved;
    if (length < 0)
        return false;
    text[length] = 0;
    if (length && text[length - 1] == '\n')
        text[length - 1] = 0;
    return true;
}

bool is_number(const char *text) { return *text && strspn(text, "0123456789") == strlen(text); }

double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool namespace_name(const char *type, char *name, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", type);
    ssize_t length = readlink(path, name, size - 1);
    if (length < 0)
        return false;
    name[length] = 0;
    return true;
}

/* The inodes of the first namespaces are fixed (linux/nsfs.h; those of mnt and net since 6.18). */
#define FIRST_NAMESPACES                                                                        \
    "time:[4026531834] cgroup:[4026531835] pid:[4026531836] user:[4026531837] uts:[4026531838]" \
    " ipc:[4026531839] net:[4026531833] mnt:[4026531832]"

static const char *host_namespaces(void) { return options.host_ns ? options.host_ns : FIRST_NAMESPACES; }

unsigned host_namespace(const char *type)
{
    char start[32];
    unsigned inode = 0;
    snprintf(start, sizeof start, "%s:[", type);
    const char *found = strstr(host_namespaces(), start);
    if (found)
        sscanf(found + strlen(start), "%u", &inode);
    return inode;
}

bool in_host_namespace(const char *type)
{
    char name[64];
    if (!namespace_name(type, name, sizeof name) || host_namespace(type) == 0)
        return true;
    return strstr(host_namespaces(), name) != NULL;
}

static struct stat jail_root;
static bool marker_is_here;

void remember_root(void)
{
    stat("/", &jail_root);
    marker_is_here = options.marker && access(options.marker, F_OK) == 0;
}

static bool sees_marker(int directory)
{
    if (!options.marker)
        return false;
    const char *relative = options.marker + strspn(options.marker, "/");
    int file = openat(directory, relative, O_PATH | O_CLOEXEC);
    if (file >= 0)
        close(file);
    return file >= 0;
}

/* The last directory that `..` leads to. */
static int climb(int directory)
{
    int here = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int step = 0; here >= 0 && step < 1000; step++) {
        struct stat below, above;
        int next = openat(here, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (next < 0)
            break;
        fstat(here, &below);
        fstat(next, &above);
        close(here);
        here = next;
        if (below.st_dev == above.st_dev && below.st_ino == above.st_ino)
            break;
    }
    return here;
}

bool beyond(int directory, char *why, size_t size)
{
    struct stat found;
    if (marker_is_here)
        untried("the jail itself has a file %s", options.marker);
    int top = climb(directory);
    if (top < 0)
        return false;
    bool marker = sees_marker(directory) || sees_marker(top);
    fstat(top, &found);
    close(top);
    if (marker)
        snprintf(why, size, "sees the host's %s", options.marker);
    else if (found.st_dev != jail_root.st_dev || found.st_ino != jail_root.st_ino)
        snprintf(why, size, "ends at inode %lu, and not at the jail's root, inode %lu",
                 (unsigned long)found.st_ino, (unsigned long)jail_root.st_ino);
    else
        return false;
    return true;
}

void judge_directory(int directory, const char *how)
{
    char why[256];
    if (directory < 0)
        refused();
    if (beyond(directory, why, sizeof why))
        outside("%s %s", how, why);
    harmless("%s ends at the jail's own root", how);
}

size_t read_mounts(struct mount_line *lines, size_t size)
{
    FILE *table = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0, count = 0;
    while (table && count < size && getline(&line, &room, table) > 0) {
        struct mount_line *mount = &lines[count];
        char *optional = strstr(line, " - ");
        if (optional &&
            sscanf(line, "%*d %*d %*s %255s %255s %127s", mount->root, mount->path, mount->options) == 3 &&
            sscanf(optional, " - %31s", mount->type) == 1)
            count++;
    }
    if (table)
        fclose(table);
    free(line);
    return count;
}

bool foreign_executable(const char *exe)
{
    char path[1024];
    struct stat running, ours;
    ssize_t length = readlink(exe, path, sizeof path - 1);
    if (length < 0)
        return errno == EACCES || errno == EPERM;
    path[length] = 0;
    if (stat(exe, &running) < 0)
        return false;
    return stat(path, &ours) < 0 || running.st_dev != ours.st_dev || running.st_ino != ours.st_ino;
}
