/* Who we are: capabilities, setuid files, attributes of the process. */
#include "probe.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void capabilities(const struct probe *self)
{
    static const char *const wanted[] = { "CapInh", "CapPrm",     "CapEff", "CapBnd",
                                          "CapAmb", "NoNewPrivs", "Seccomp" };
    char text[8192], line[300] = "";
    (void)self;
    trying("read(/proc/self/status)");
    if (!read_text("/proc/self/status", text, sizeof text))
        refused();
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char start[32], value[32] = "?";
        snprintf(start, sizeof start, "\n%s:\t", wanted[i]);
        const char *found = strstr(text, start);
        if (found)
            sscanf(found + strlen(start), "%31s", value);
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s=%s", i ? " " : "", wanted[i], value);
    }
    harmless("%s", line);
}

static void copy(const char *from, const char *to)
{
    char buffer[65536];
    int in = (int)MUST("open(/proc/self/exe)", open(from, O_RDONLY | O_CLOEXEC));
    int out = (int)MUST("open(copy)", open(to, O_WRONLY | O_TRUNC | O_CLOEXEC));
    for (ssize_t length; (length = read(in, buffer, sizeof buffer)) > 0;)
        MUST("write(copy)", write(out, buffer, (size_t)length));
    close(in);
    close(out);
}

static bool become_user(void)
{
    static const uid_t users[] = { 65534, 1000, 1 };
    if (geteuid() != 0)
        return true;
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (setresgid(users[i], users[i], users[i]) == 0 && setresuid(users[i], users[i], users[i]) == 0)
            return true;
    return false;
}

/* As a user, executes a copy of this program that belongs to root and has the setuid bit. */
static void setuid_gain(const struct probe *self)
{
    const char *path = options.count ? options.args[0] : NULL;
    (void)self;
    if (!path) {
        if (geteuid() != 0)
            untried("a user needs FILE, a copy of probe with the setuid bit");
        copy("/proc/self/exe", path = in_scratch("file"));
        MUST("chmod(04755)", chmod(path, 04755));
    }
    pid_t child = spawn();
    if (child == 0) {
        if (!become_user())
            untried("no other user here: %s", errno_name(errno));
        execl(path, "probe", "am-i-root", (char *)NULL);
        trying("execve");
        refused();
    }
    int status = await(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 42)
        harmless("a setuid file made the user root of the jail");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 43)
        untried("the copy ended with status %d", status);
    errno = EPERM;
    trying("execve: the setuid bit had no effect");
    refused();
}

static void dumpable(const struct probe *self)
{
    (void)self;
    MUST("prctl(PR_SET_DUMPABLE)", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    harmless("made itself dumpable, which is its own affair");
}

/* Lets /proc/PID/exe name another file; needs CAP_CHECKPOINT_RESTORE or CAP_SYS_RESOURCE. */
static void spoof_executable(const struct probe *self)
{
    (void)self;
    trying("prctl(PR_SET_MM_EXE_FILE)");
    int result = prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, -1, 0, 0);
    if (result < 0 && errno == EBADF)
        harmless("may change its own /proc/PID/exe");
    checked(result, 0);
}

/* The bounding set must not be one that can be filled again, nor ambient ones appear. */
static void regain(const struct probe *self)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct now[2], all[2];
    (void)self;
    MUST("capget", syscall(SYS_capget, &head, now));
    memcpy(all, now, sizeof all);
    for (int number = 0; number < 64; number++)
        if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0) /* exists in this kernel */
            all[number / 32].permitted |= 1u << number % 32;
    all[0].effective = all[0].permitted;
    all[1].effective = all[1].permitted;
    if (memcmp(all, now, sizeof all) == 0)
        untried("has all capabilities already");
    MUST("capset(all)", syscall(SYS_capset, &head, all));
    outside("gave itself all capabilities");
}

const struct probe identity_probes[] = {
    { .name = "caps", .what = "print the capability sets, NoNewPrivs and Seccomp", .run = capabilities },
    { .name = "capset", .what = "give itself all capabilities", .run = regain },
    { .name = "setuid-gain", .what = "[FILE] as a user, execute a setuid copy of probe", .run = setuid_gain },
    { .name = "prctl-dumpable", .what = "prctl(PR_SET_DUMPABLE)", .run = dumpable },
    { .name = "prctl-exe", .what = "prctl(PR_SET_MM_EXE_FILE)", .run = spoof_executable },
    { 0 },
};
