/* The words that all probes share. A probe is a function that tries one thing and ends in a verdict. */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct probe {
    const char *name;
    const char *what;                      /* the line that `probe list` prints */
    void (*run)(const struct probe *self); /* never returns: it ends in a verdict */
    long number;                           /* what `run` wants to know: a family, a flag, a device number */
    const char *text;                      /* likewise: a path, a type */
    bool only_asked;                       /* not part of `probe all` */
};

/* The tables, one per area, each ended by an entry without a name. */
extern const struct probe root_probes[], handle_probes[], proc_probes[], fd_probes[], watch_probes[],
    process_probes[], tty_probes[], device_probes[], mount_probes[], mask_probes[], socket_probes[],
    abi_probes[], kernel_probes[], system_probes[], keyring_probes[], namespace_probes[], cgroup_probes[],
    ipc_probes[], limit_probes[], identity_probes[], race_probes[];

/* What was given on the command line; a null or zero was not given. */
struct options {
    const char *marker;  /* a file that exists on the host's root, and not in the jail */
    const char *host_ns; /* namespaces of the host, such as "uts:[4026531838] net:[4026531833]" */
    const char *name;    /* an abstract socket's name, on which the host listens */
    pid_t pid;           /* a process outside the jail, by its number on the host */
    char **args;
    int count;
};
extern struct options options;

/* Verdicts. The first one given by any process of a probe is the one printed. */
_Noreturn void refused(void); /* errno, at the call last named by `trying` */
/* For several attempts: the first refusal is kept, and is the verdict if all ended so. */
void note_refusal(void);
bool noted_refusal(void);
_Noreturn void refused_as_noted(void);
_Noreturn void untried(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void harmless(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Three ways to have escaped; README.md says what each means. */
_Noreturn void outside(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void past(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void surface(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `outside` if the namespace of that type ("uts", "net", …) is the host's, else `harmless`. */
_Noreturn void within(const char *type, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For a call made with arguments that the kernel refuses with `late` once it has allowed the caller. */
_Noreturn void checked(long result, int late);

/* Notes the name of the next call, for `refused` and for the case that a filter kills us there. */
void trying(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line below the verdict, printed when the probe runs alone. */
void list(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The value of a call, which must not fail: failing is the verdict `refused`. */
#define MUST(name, call)           \
    ({                             \
        trying("%s", name);        \
        long must_ = (long)(call); \
        if (must_ < 0)             \
            refused();             \
        must_;                     \
    })
/* Gives this probe that many seconds more than the usual ten. */
void allow_seconds(unsigned seconds);
const char *errno_name(int number);

/* Runs the probe in a process of its own, prints its line; 0 refused or harmless, 1 escaped, 2 untried. */
int supervise(const struct probe *probe, bool with_listing);

/* Fixtures. */
/* A new directory with `dir/sub` and `file` in it, or a null if the jail has none that we may write to. */
const char *scratch_or_null(void);
const char *scratch(void); /* likewise, but the verdict is `untried` */
/* A path below it: any of dir, dir/sub, file, moved, node, target. Those are removed afterwards. */
char *in_scratch(const char *name);
void remove_scratch(const char *path);
/* Forks; the child dies with its parent. */
pid_t spawn(void);
/* Waits for a child of `spawn`; if it has given a verdict, that was ours. */
int await(pid_t child);
/* Text of a small file without the final newline; false if it cannot be read, with errno. */
bool read_text(const char *path, char *text, size_t size);
bool namespace_name(const char *type, char *name, size_t size);
/* Also true if either is not known: only what is proven is harmless. */
bool in_host_namespace(const char *type);
/* The inode of the host's namespace of that type; 0 if it is not known. */
unsigned host_namespace(const char *type);

/* Is this directory, or what lies above it, not of the jail? Says why in `why`. */
bool beyond(int directory, char *why, size_t size);
/* The verdict for a directory reached by `how`. */
_Noreturn void judge_directory(int directory, const char *how);
/* Remembers the jail's root, before any probe changes its own. */
void remember_root(void);

struct mount_line {
    char root[256], path[256], options[128], type[32];
};
/* Writes to release_agent what it holds, to devices.allow what is no rule: will the kernel have it? */
bool rules_cgroup(int directory, const char *file);
/* The mounts of this process, from /proc/self/mountinfo; the number of them. */
size_t read_mounts(struct mount_line *lines, size_t size);
/* The verdict for a new instance of a filesystem: does it open what the jail's own instance hides? */
_Noreturn void judge_filesystem(int directory, const char *type, const char *how);

/* Is the file behind /proc/PID/exe one that the jail does not have? */
bool foreign_executable(const char *exe);
bool is_number(const char *text);
/* Seconds of the monotonic clock. */
double clock_now(void);

#endif
