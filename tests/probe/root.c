/* Ways out of the root directory: chroot, kept descriptors, `..`, pivot_root. */
#include "probe.h"

#include <sched.h>
#include <sys/mount.h>

static const char *inner_directory(void) { return scratch_or_null() ? in_scratch("dir") : "/proc"; }

static _Noreturn void climb_and_judge(const char *how)
{
    for (int i = 0; i < 1000; i++)
        MUST("chdir(..)", chdir(".."));
    MUST("chroot(.)", chroot("."));
    judge_directory(open(".", O_PATH | O_DIRECTORY), how);
}

static void chroot_break(const struct probe *self)
{
    (void)self;
    int root = (int)MUST("open(/)", open("/", O_RDONLY | O_DIRECTORY));
    const char *inner = inner_directory();
    MUST("chroot", chroot(inner));
    MUST("fchdir", fchdir(root));
    climb_and_judge("chroot, fchdir, chdir(..)");
}

static void chroot_twice(const struct probe *self)
{
    (void)self;
    const char *inner = inner_directory();
    MUST("chdir(/)", chdir("/"));
    MUST("chroot", chroot(inner));
    climb_and_judge("chroot with the working directory left outside");
}

static void fchdir_leaked(const struct probe *self)
{
    (void)self;
    char why[256];
    int directories = 0;
    for (int fd = 0; fd < 4096; fd++) {
        struct stat status;
        if (fstat(fd, &status) < 0 || !S_ISDIR(status.st_mode))
            continue;
        directories++;
        if (fchdir(fd) == 0 && beyond(AT_FDCWD, why, sizeof why))
            outside("fchdir(%d) %s", fd, why);
    }
    harmless("%d inherited descriptors are directories, none beyond the jail", directories);
}

/* pivot_root swaps the root of every process here, so only in a mount namespace of our own. */
static void pivot_out(const struct probe *self)
{
    (void)self;
    if (unshare(CLONE_NEWNS) < 0) {
        trying("pivot_root(missing, /)");
        long result = syscall(SYS_pivot_root, "/probe-no-such-directory", "/");
        if (result < 0 && errno == ENOENT)
            within("mnt", "pivot_root would be allowed");
        checked(result, 0);
    }
    char *target = in_scratch("dir");
    MUST("mount(/, private)", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    MUST("mount(tmpfs)", mount("probe", target, "tmpfs", 0, NULL));
    MUST("chdir", chdir(target));
    MUST("pivot_root(., .)", syscall(SYS_pivot_root, ".", "."));
    judge_directory(open("..", O_PATH | O_DIRECTORY), "pivot_root to a tmpfs, then chdir(..)");
}

/* A directory moved out of the root of a process which stands in it. */
static void dotdot_after_move(const struct probe *self)
{
    (void)self;
    int start[2], moved[2];
    char byte = 0;
    char *jail = in_scratch("dir"), *from = in_scratch("dir/sub"), *to = in_scratch("moved");
    MUST("pipe", pipe(start));
    MUST("pipe", pipe(moved));
    pid_t child = spawn();
    if (child == 0) {
        MUST("chroot", chroot(jail));
        MUST("chdir(/sub)", chdir("/sub"));
        MUST("write", write(start[1], &byte, 1));
        MUST("read", read(moved[0], &byte, 1));
        for (int i = 0; i < 1000; i++)
            MUST("chdir(..)", chdir(".."));
        judge_directory(open(".", O_PATH | O_DIRECTORY), "chdir(..) after the directory was moved");
    }
    close(start[1]);
    if (read(start[0], &byte, 1) == 1) {
        MUST("rename", rename(from, to));
        MUST("write", write(moved[1], &byte, 1));
    }
    await(child);
}

/* CVE-2015-2925: the same with a bind mount instead of a chroot. */
static void bind_rename(const struct probe *self)
{
    (void)self;
    char *source = in_scratch("dir"), *from = in_scratch("dir/sub"), *to = in_scratch("moved"),
         *target = in_scratch("target");
    MUST("mkdir", mkdir(target, 0755));
    MUST("mount(bind)", mount(source, target, NULL, MS_BIND, NULL));
    MUST("chdir", chdir(target));
    MUST("chdir", chdir("sub"));
    MUST("rename", rename(from, to));
    for (int i = 0; i < 1000; i++)
        MUST("chdir(..)", chdir(".."));
    judge_directory(open(".", O_PATH | O_DIRECTORY), "chdir(..) after a move out of a bind mount");
}

static void working_directory(const struct probe *self)
{
    (void)self;
    char path[4096], why[256];
    MUST("getcwd", syscall(SYS_getcwd, path, sizeof path));
    if (path[0] != '/')
        outside("getcwd says %s", path);
    if (beyond(AT_FDCWD, why, sizeof why))
        outside("the working directory %s %s", path, why);
    harmless("the working directory is %s", path);
}

static void working_directory_proc(const struct probe *self)
{
    static const char *const ways[] = {
        "/proc/self/cwd/../..",
        "/proc/self/root/../..",
        "/proc/thread-self/root/..",
        "/proc/thread-self/cwd/../../..",
    };
    (void)self;
    char why[256];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        MUST(ways[i], chdir(ways[i]));
        if (beyond(AT_FDCWD, why, sizeof why))
            outside("%s %s", ways[i], why);
    }
    harmless("%zu ways by /proc/self end at the jail's own root", sizeof ways / sizeof *ways);
}

const struct probe root_probes[] = {
    { .name = "chroot-break",
      .what = "chroot below a kept descriptor, climb, chroot(.)",
      .run = chroot_break },
    { .name = "chroot-twice",
      .what = "chroot with the working directory left outside, climb",
      .run = chroot_twice },
    { .name = "fchdir-leaked", .what = "fchdir to each inherited descriptor, climb", .run = fchdir_leaked },
    { .name = "pivot-root", .what = "pivot_root to a tmpfs, look at the old root", .run = pivot_out },
    { .name = "dotdot-after-move",
      .what = "chdir(..) from a directory moved out of a chroot",
      .run = dotdot_after_move },
    { .name = "bind-rename",
      .what = "chdir(..) from a directory moved out of a bind mount",
      .run = bind_rename },
    { .name = "cwd", .what = "a working directory that is unreachable or outside", .run = working_directory },
    { .name = "cwd-proc",
      .what = "chdir to /proc/self/cwd/../.. and the like",
      .run = working_directory_proc },
    { 0 },
};
