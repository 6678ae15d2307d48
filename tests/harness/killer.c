/* killer WHO N COMMAND…: runs a command and kills a process at a system call.
 *
 * WHO is one of
 *     main      the command itself
 *     children  all processes made by it and by them
 *     keeper    those made by the command itself
 *     first     those made by these, until they execute a program
 *     PID       a process that runs already
 * N counts the system calls of these processes in the order in which they happen. At the Nth the process
 * that makes it gets SIGKILL before the kernel carries the call out. All others run on, also after
 * the killer has gone. The killer ends when the command does, with its exit status or 128 plus its
 * signal, and its last line on standard error is one of
 *     killer: killed PID at system call NUMBER
 *     killer: nobody
 * strace can inject signals, but counts for each process by itself, so that a child is reached
 * only at numbers at which its parent has long been killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is known of a process. */
struct process {
    pid_t pid;
    enum { MAIN, KEEPER, LATER, RUNNING } is;
    int executed;
};
static struct process processes[256];

/* The record of a process, made when it is first seen: while its parent is there to tell who it is. */
static struct process *known(pid_t pid, pid_t main_pid, pid_t running)
{
    struct process *one = processes;
    while (one->pid && one->pid != pid && one < processes + 255)
        one++;
    if (one->pid != pid) {
        char path[32];
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *stat = fopen(path, "r");
        /* Its own name is in brackets, and may hold anything but is short. */
        if (stat && fscanf(stat, "%*d (%*[^)]) %*c %d", &parent) != 1)
            parent = 0;
        if (stat)
            fclose(stat);
        one->pid = pid;
        one->executed = 0;
        one->is = pid == main_pid ? MAIN : pid == running ? RUNNING : parent == main_pid ? KEEPER : LATER;
    }
    return one;
}

static int is_victim(const struct process *one, const char *who)
{
    if (strcmp(who, "main") == 0)
        return one->is == MAIN;
    if (strcmp(who, "children") == 0)
        return one->is != MAIN;
    if (strcmp(who, "keeper") == 0)
        return one->is == KEEPER;
    if (strcmp(who, "first") == 0)
        return one->is == LATER && !one->executed;
    return one->is == RUNNING;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: killer main|children|keeper|first|PID N COMMAND...\n");
        return 2;
    }
    pid_t running = atoi(argv[1]);
    long remaining = atol(argv[2]);
    int seized[2];
    if (pipe2(seized, O_CLOEXEC) < 0) {
        perror("killer: pipe2");
        return 2;
    }
    pid_t main_pid = fork();
    if (main_pid == 0) {
        char byte;
        if (read(seized[0], &byte, 1) == 1)
            execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    /* Seized, not attached: an attached process's children begin with a SIGSTOP, and one that has it
     * when the killer ends would stay stopped. */
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC;
    /* A running process is stopped once, since only a stopped one can be told to stop at system calls. */
    if (running && (ptrace(PTRACE_SEIZE, running, 0, options) < 0 || ptrace(PTRACE_INTERRUPT, running, 0, 0) < 0)) {
        perror("killer: PTRACE_SEIZE");
        return 2;
    }
    if (main_pid < 0 || ptrace(PTRACE_SEIZE, main_pid, 0, options) < 0 || write(seized[1], "x", 1) != 1) {
        perror("killer: PTRACE_SEIZE");
        return 2;
    }

    /* System calls begin to stop the command with its exec, which itself is not counted. */
    int status;
    pid_t killed = 0;
    long call = -1;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0 || (pid == main_pid && !WIFSTOPPED(status)))
            break;
        if (!WIFSTOPPED(status))
            continue;
        int event = status >> 16, signal = WSTOPSIG(status), deliver = 0;
        struct process *one = known(pid, main_pid, running);
        one->executed |= event == PTRACE_EVENT_EXEC;
        if (signal == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            long got = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
            int counts = !killed && is_victim(one, argv[1]);
            if (got > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY && counts && --remaining == 0) {
                killed = pid;
                call = (long)info.entry.nr;
                kill(pid, SIGKILL);
                continue;
            }
        } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
            /* Stopped by a stop signal: it stays so until it gets SIGCONT. */
            ptrace(PTRACE_LISTEN, pid, 0, 0);
            continue;
        } else if (event == 0) {
            deliver = signal;
        }
        ptrace(killed ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0, deliver);
    }
    if (killed)
        fprintf(stderr, "killer: killed %d at system call %ld\n", (int)killed, call);
    else
        fprintf(stderr, "killer: nobody\n");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
