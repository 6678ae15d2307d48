/* Terminals: putting words into somebody's mouth (CVE-2017-5226, CVE-2016-10124). */
#include "probe.h"

#include <sys/ioctl.h>
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

/* A null argument: the kernel looks at it (EFAULT) only after it has looked at the caller. */
static void inject(const struct probe *self)
{
    int tty = STDIN_FILENO;
    unsigned long request = (unsigned long)self->number;
    if (*self->text) {
        trying("open(%s)", self->text);
        tty = open(self->text, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (tty < 0)
            refused();
    } else if (!isatty(tty))
        untried("stdin is no terminal");
    trying("ioctl(%s, %#lx)", *self->text ? self->text : "stdin", request);
    checked(syscall(SYS_ioctl, tty, request, NULL), EFAULT);
}

/* The kernel takes 32 bits of the request, a filter may compare 64 (CVE-2023-1523). */
#define HIGH(REQUEST) ((long)((REQUEST) | 0x100000000ul))
#define INJECT(NAME, REQUEST, TTY) \
    { .name = NAME, .what = #REQUEST " on " TTY, .run = inject, .number = (long)(REQUEST), .text = TTY }
#define INJECT_STDIN(NAME, REQUEST) \
    { .name = NAME, .what = #REQUEST " on stdin", .run = inject, .number = (long)(REQUEST), .text = "" }

const struct probe tty_probes[] = {
    INJECT_STDIN("tiocsti-stdin", TIOCSTI),
    INJECT_STDIN("tiocsti-stdin-high", HIGH(TIOCSTI)),
    INJECT("tiocsti-tty", TIOCSTI, "/dev/tty"),
    INJECT("tiocsti-tty-high", HIGH(TIOCSTI), "/dev/tty"),
    INJECT("tiocsti-console", TIOCSTI, "/dev/console"),
    INJECT("tiocsti-tty0", TIOCSTI, "/dev/tty0"),
    INJECT_STDIN("tioclinux-stdin", TIOCLINUX),
    INJECT_STDIN("tioclinux-stdin-high", HIGH(TIOCLINUX)),
    INJECT("tioclinux-tty", TIOCLINUX, "/dev/tty"),
    INJECT("tioclinux-console", TIOCLINUX, "/dev/console"),
    INJECT("tioclinux-tty0", TIOCLINUX, "/dev/tty0"),
    { 0 },
};
