/* Verdicts, and the process that waits for them: a probe may chroot itself, be killed or hang. */
#include "probe.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum verdict { NONE, REFUSED, HARMLESS, ESCAPED, UNTRIED };
static const char *const words[] = { "untried", "refused", "harmless", "escaped", "untried" };
static const int statuses[] = { 2, 0, 0, 1, 2 };

/* Shared with the probe's processes, so that it outlives them. */
static struct report {
    enum verdict verdict;
    char call[160];
    char detail[400];
    char scratch[64];
    unsigned seconds;
    size_t listed;
    char listing[1 << 20];
} *report;

const char *errno_name(int number)
{
    const char *name = strerrorname_np(number);
    return name ? name : "E?";
}

void trying(const char *format, ...)
{
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->call, sizeof report->call, format, arguments);
    va_end(arguments);
    errno = saved;
}

void list(const char *format, ...)
{
    size_t room = sizeof report->listing - report->listed;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(report->listing + report->listed, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length + 2 > room)
        return;
    report->listed += (size_t)length;
    strcpy(report->listing + report->listed++, "\n");
}

void allow_seconds(unsigned seconds) { report->seconds = seconds; }

static _Noreturn void conclude(enum verdict verdict, const char *prefix, const char *format,
                               va_list arguments)
{
    if (report->verdict == NONE) {
        int start = snprintf(report->detail, sizeof report->detail, "%s", prefix);
        vsnprintf(report->detail + start, sizeof report->detail - (size_t)start, format, arguments);
        report->verdict = verdict;
    }
    _exit(0);
}

#define CONCLUDE(verdict, prefix)                     \
    do {                                              \
        va_list arguments;                            \
        va_start(arguments, format);                  \
        conclude(verdict, prefix, format, arguments); \
    } while (0)

void untried(const char *format, ...) { CONCLUDE(UNTRIED, ""); }
void harmless(const char *format, ...) { CONCLUDE(HARMLESS, ""); }
void outside(const char *format, ...) { CONCLUDE(ESCAPED, "outside: "); }
void past(const char *format, ...) { CONCLUDE(ESCAPED, "past: "); }
void surface(const char *format, ...) { CONCLUDE(ESCAPED, "surface: "); }
static _Noreturn void refusal(const char *format, ...) { CONCLUDE(REFUSED, ""); }

void refused(void) { refusal("%s at %s", errno_name(errno), report->call); }

static char noted_call[sizeof report->call];
static int noted_errno;

void note_refusal(void)
{
    if (noted_errno)
        return;
    noted_errno = errno;
    strcpy(noted_call, report->call);
}

bool noted_refusal(void) { return noted_errno != 0; }

void refused_as_noted(void) { refusal("%s at %s", errno_name(noted_errno), noted_call); }

void within(const char *type, const char *format, ...)
{
    char prefix[128], name[64];
    bool host = in_host_namespace(type);
    if (!namespace_name(type, name, sizeof name))
        snprintf(name, sizeof name, "the unknown %s namespace", type);
    snprintf(prefix, sizeof prefix, "%sin %s: ", host ? "outside: the host's, " : "", name);
    CONCLUDE(host ? ESCAPED : HARMLESS, prefix);
}

void checked(long result, int late)
{
    if (result >= 0)
        outside("%s worked", report->call);
    if (errno == late)
        past("%s at %s", errno_name(late), report->call);
    refused();
}

static _Noreturn void run(const struct probe *probe)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    probe->run(probe);
    untried("the probe ended without a verdict");
}

/* Waits until the probe ends or its time does; false if we had to kill it. */
static bool wait_for(pid_t child, int *status)
{
    struct timespec step = { 0, 200 * 1000 * 1000 };
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    double end = clock_now() + 10 + report->seconds;
    for (;;) {
        if (waitpid(child, status, WNOHANG) == child)
            return true;
        if (clock_now() > end)
            break;
        sigtimedwait(&ended, NULL, &step);
    }
    kill(child, SIGKILL);
    waitpid(child, status, 0);
    return false;
}

static void judge_death(int status, bool in_time)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    report->verdict = UNTRIED;
    if (!in_time)
        snprintf(report->detail, sizeof report->detail, "no end in time, at %s", report->call);
    else if (number == SIGSYS) { /* a filter that kills */
        report->verdict = REFUSED;
        snprintf(report->detail, sizeof report->detail, "SIGSYS at %s", report->call);
    } else
        snprintf(report->detail, sizeof report->detail, "ended by signal %d at %s", number, report->call);
}

static void print(const struct probe *probe, bool with_listing)
{
    for (char *c = report->detail; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    printf("%s %s %s\n", probe->name, words[report->verdict], report->detail);
    if (with_listing) {
        char *rest = report->listing, *line;
        while ((line = strsep(&rest, "\n")) && *line)
            printf("  %s\n", line);
    }
    fflush(stdout);
}

int supervise(const struct probe *probe, bool with_listing)
{
    if (!report) {
        report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (report == MAP_FAILED)
            return perror("probe: mmap"), 2;
        sigset_t ended;
        sigemptyset(&ended);
        sigaddset(&ended, SIGCHLD);
        signal(SIGCHLD, SIG_DFL);
        sigprocmask(SIG_BLOCK, &ended, NULL);
    }
    memset(report, 0, offsetof(struct report, listing) + 1);
    strcpy(report->call, "nothing");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return perror("probe: fork"), 2;
    if (child == 0)
        run(probe);
    int status = 0;
    bool in_time = wait_for(child, &status);
    if (report->verdict == NONE)
        judge_death(status, in_time);
    if (*report->scratch)
        remove_scratch(report->scratch);
    print(probe, with_listing);
    return statuses[report->verdict];
}

const char *scratch_or_null(void)
{
    static const char *const places[] = { "/tmp",  "/var/tmp", "/dev/shm", "/run", "/dev",
                                          "/root", "/home",    "",         "." };
    if (*report->scratch)
        return report->scratch;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[sizeof report->scratch];
        snprintf(path, sizeof path, "%s/probe-XXXXXX", places[i]);
        if (!mkdtemp(path))
            continue;
        strcpy(report->scratch, path);
        int file = open(in_scratch("file"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file >= 0)
            close(file);
        if (chmod(path, 0755) || mkdir(in_scratch("dir"), 0755) || mkdir(in_scratch("dir/sub"), 0755))
            return NULL;
        return report->scratch;
    }
    return NULL;
}

const char *scratch(void)
{
    const char *path = scratch_or_null();
    if (!path)
        untried("no directory here may be written to");
    return path;
}

int await(pid_t child)
{
    int status = 0;
    if (child < 0)
        untried("fork: %s", errno_name(errno));
    waitpid(child, &status, 0);
    if (report->verdict != NONE)
        _exit(0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        refusal("SIGSYS at %s", report->call);
    return status;
}
