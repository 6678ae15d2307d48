/* floor [--user] ROOT PROGRAM [ARG…]: the least that a start of a jail can cost.
 *
 * All namespaces, a root of its own with /proc and /dev, and nothing else: no checks, no limits, no
 * filter, no errors explained. What jaula takes above this is the price of what it does besides.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        _exit(125);
    }
}

/* Ids 0 to 65535 inside are 0x80000000 and up outside; the parent has the rights, the child waits. */
static void write_map(pid_t child, const char *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", child, file);
    int map = open(path, O_WRONLY | O_CLOEXEC);
    must(map, path);
    static const char line[] = "0 2147483648 65536";
    must((int)write(map, line, sizeof line - 1), path);
    close(map);
}

static void enter(const char *root)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount private");
    must(mount(root, root, NULL, MS_BIND, NULL), "mount root");
    must(mount(NULL, root, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "remount root");
    must(chdir(root), "chdir");
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mount proc");
    must(mount("dev", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k"), "mount dev");
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount old root");
    must(chdir("/"), "chdir /");
}

int main(int argc, char **argv)
{
    int user = argc > 1 && strcmp(argv[1], "--user") == 0;
    argv += user;
    argc -= user;
    if (argc < 3) {
        fprintf(stderr, "usage: floor [--user] ROOT PROGRAM [ARG...]\n");
        return 2;
    }
    int go[2];
    must(pipe2(go, O_CLOEXEC), "pipe2");
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP |
                 (user ? CLONE_NEWUSER : 0),
        .exit_signal = SIGCHLD,
    };
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    must(child, "clone3");
    if (child == 0) {
        char byte;
        if (user)
            must((int)read(go[0], &byte, 1), "read");
        enter(argv[1]);
        if (user) {
            must(setgid(0), "setgid");
            must(setuid(0), "setuid");
        }
        execv(argv[2], argv + 2);
        must(-1, argv[2]);
    }
    if (user) {
        write_map(child, "uid_map");
        write_map(child, "gid_map");
        must((int)write(go[1], "x", 1), "write");
    }
    int status;
    must(waitpid(child, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
