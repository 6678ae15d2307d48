/* Other doors into the kernel: 32-bit and x32 calls, personalities, processor state. */
#include "probe.h"

#include <asm/ldt.h>
#include <setjmp.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>

static sigjmp_buf no_emulation;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(no_emulation, 1);
}

static long int80(long number, long first, long second)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(0l)
                     : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static void catch_no_emulation(void)
{
    signal(SIGSEGV, on_fault);
    if (sigsetjmp(no_emulation, 1)) {
        errno = ENOSYS;
        refused();
    }
}

enum { I386_GETPID = 20, I386_SOCKETCALL = 102, I386_SYS_SOCKET = 1 };

static void i386_call(const struct probe *self)
{
    (void)self;
    trying("int 0x80 getpid");
    catch_no_emulation();
    if (int80(I386_GETPID, 0, 0) < 0)
        refused();
    surface("an i386 call worked");
}

/* The family lies in memory, where a filter cannot see it. */
static void i386_socketcall(const struct probe *self)
{
    (void)self;
    int *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (arguments == MAP_FAILED)
        untried("no memory below 4 GiB");
    trying("int 0x80 socketcall(SYS_SOCKET, AF_ALG)");
    catch_no_emulation();
    arguments[0] = AF_ALG;
    arguments[1] = SOCK_SEQPACKET;
    bool algorithm = int80(I386_SOCKETCALL, I386_SYS_SOCKET, (long)arguments) >= 0;
    int why = errno;
    arguments[0] = AF_UNIX;
    arguments[1] = SOCK_STREAM;
    if (int80(I386_SOCKETCALL, I386_SYS_SOCKET, (long)arguments) >= 0)
        surface("socketcall works, AF_ALG by it: %s", algorithm ? "opened" : errno_name(why));
    refused();
}

static void x32_call(const struct probe *self)
{
    (void)self;
    MUST("x32 getpid", syscall(0x40000000 | SYS_getpid));
    surface("an x32 call worked");
}

static void change_personality(const struct probe *self)
{
    int before = (int)MUST("personality(query)", personality(0xffffffff));
    trying("personality(%s)", self->text);
    if (personality((unsigned long)before | (unsigned long)self->number) < 0)
        refused();
    personality((unsigned long)before);
    harmless("personality changed to %s, for this process", self->text);
}

static void local_descriptors(const struct probe *self)
{
    struct user_desc entry = { .entry_number = 0, .limit = 0xfff, .seg_32bit = 1, .useable = 1 };
    (void)self;
    /* The kernel returns a 32-bit value, which it does not extend (modify_ldt(2)). */
    int result = (int)MUST("modify_ldt", syscall(SYS_modify_ldt, 1, &entry, sizeof entry));
    if (result < 0) {
        errno = -result;
        refused();
    }
    harmless("wrote a segment descriptor, of this process");
}

static void all_ports(const struct probe *self)
{
    (void)self;
    MUST("iopl(3)", iopl(3));
    outside("all input and output ports");
}

static void one_port(const struct probe *self)
{
    (void)self;
    MUST("ioperm(0x80)", ioperm(0x80, 1, 1));
    outside("input and output port 0x80");
}

#define PERSONALITY(NAME, FLAG)         \
    { .name = NAME,                     \
      .what = "personality(" #FLAG ")", \
      .run = change_personality,        \
      .number = FLAG,                   \
      .text = #FLAG }

const struct probe abi_probes[] = {
    { .name = "i386-call", .what = "int 0x80 getpid", .run = i386_call },
    { .name = "i386-socketcall", .what = "int 0x80 socketcall for AF_ALG", .run = i386_socketcall },
    { .name = "x32-call", .what = "getpid with the x32 bit", .run = x32_call },
    PERSONALITY("personality-norandom", ADDR_NO_RANDOMIZE),
    PERSONALITY("personality-exec", READ_IMPLIES_EXEC),
    PERSONALITY("personality-linux32", PER_LINUX32),
    { .name = "modify-ldt",
      .what = "write an entry of the local descriptor table",
      .run = local_descriptors },
    { .name = "iopl", .what = "iopl(3)", .run = all_ports },
    { .name = "ioperm", .what = "ioperm of port 0x80", .run = one_port },
    { 0 },
};
