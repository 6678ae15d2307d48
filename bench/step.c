/* step FILE PROGRAM [ARG…]: which instructions of a program are executed, and in which order for the first time.
 *
 * The program and all its children are run one instruction at a time until they execute another program. FILE
 * gets a line for each address of a program that is not moved when it is loaded: the address, and how many
 * others came before it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "reads the registers of x86-64"
#endif

enum { LOWEST = 0x400000, SPAN = 0x2000000, MOST = 4096 };
enum state { BEFORE, STEPS, OTHER };

static unsigned first[SPAN];
static unsigned addresses;
static struct {
    pid_t pid;
    enum state state;
} processes[MOST];
static int known;

static void note(pid_t pid)
{
    struct user_regs_struct now;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &now) == 0 && now.rip - LOWEST < SPAN && !first[now.rip - LOWEST])
        first[now.rip - LOWEST] = ++addresses;
}

static int find(pid_t pid)
{
    int i = 0;
    while (i < known && processes[i].pid != pid)
        i++;
    if (i == MOST) {
        fprintf(stderr, "step: too many processes\n");
        exit(125);
    }
    if (i == known) {
        processes[known].pid = pid;
        processes[known++].state = STEPS;
    }
    return i;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: step FILE PROGRAM [ARG...]\n");
        return 2;
    }
    pid_t program = fork();
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(125);
    }
    int status, result = 125;
    waitpid(program, &status, 0);
    ptrace(PTRACE_SETOPTIONS, program, NULL,
           PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
    processes[known].pid = program;
    processes[known++].state = BEFORE;
    ptrace(PTRACE_CONT, program, NULL, NULL);
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        int i = find(pid);
        if (!WIFSTOPPED(status)) {
            processes[i].pid = -1;
            if (pid == program)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_EXEC)
            processes[i].state = processes[i].state == BEFORE ? STEPS : OTHER;
        else if (!event && signal == SIGTRAP)
            note(pid);
        if (event || signal == SIGTRAP || signal == SIGSTOP)
            signal = 0;
        ptrace(processes[i].state == STEPS ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, (long)signal);
    }
    FILE *file = fopen(argv[1], "w");
    if (!file) {
        perror(argv[1]);
        return 125;
    }
    for (unsigned i = 0; i < SPAN; i++)
        if (first[i])
            fprintf(file, "%x %u\n", LOWEST + i, first[i]);
    return fclose(file) ? 125 : result;
}
