/* killer WHO N COMMAND…: runs a command and kills a process at a system call.
 *
 * WHO is "main", the command itself, or "children", all processes made by it and by them; N counts
 * the system calls of these processes in the order in which they happen. At the Nth the process
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* /proc/sys/kernel/pid_max is at most this. */
static char seen[4 * 1024 * 1024 + 1];

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: killer main|children N COMMAND...\n");
        return 2;
    }
    int want_main = strcmp(argv[1], "main") == 0;
    long remaining = atol(argv[2]);
    pid_t main_pid = fork();
    if (main_pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    int status;
    if (main_pid < 0 || waitpid(main_pid, &status, 0) < 0 || !WIFSTOPPED(status)) {
        perror("killer: fork");
        return 2;
    }
    seen[main_pid] = 1;
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC;
    ptrace(PTRACE_SETOPTIONS, main_pid, 0, options);
    ptrace(PTRACE_SYSCALL, main_pid, 0, 0);

    /* The fork's own tail, between its SIGSTOP and the exec, is not the command's. */
    int begun = 0;
    pid_t killed = 0;
    long call = -1;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            seen[pid] = 0;
            if (pid == main_pid)
                break;
            continue;
        }
        int deliver = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            long got = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
            int counts = begun && !killed && (pid == main_pid) == want_main;
            if (got > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY && counts && --remaining == 0) {
                killed = pid;
                call = (long)info.entry.nr;
                kill(pid, SIGKILL);
                continue;
            }
        } else if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
            begun = 1;
        } else if (status >> 16 == 0) {
            /* A signal: passed on, but for the stop in which a new process begins. */
            deliver = WSTOPSIG(status);
            if (!seen[pid] && deliver == SIGSTOP)
                deliver = 0;
        }
        seen[pid] = 1;
        ptrace(killed ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0, deliver);
    }
    if (killed)
        fprintf(stderr, "killer: killed %d at system call %ld\n", (int)killed, call);
    else
        fprintf(stderr, "killer: nobody\n");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
