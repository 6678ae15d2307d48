/* The kernel itself: loading code, its log, and interfaces without a namespace. */
#include "probe.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/klog.h>

/* More segments than there may be: EINVAL comes after the permission. */
static void kexec(const struct probe *self)
{
    (void)self;
    trying("kexec_load");
    checked(syscall(SYS_kexec_load, 0, 1000, NULL, 0), EINVAL);
}

static void kexec_file(const struct probe *self)
{
    (void)self;
    trying("kexec_file_load");
    checked(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, ~0ul), EINVAL);
}

/* Nothing is no module. */
static void load_module(const struct probe *self)
{
    (void)self;
    trying("init_module");
    checked(syscall(SYS_init_module, "", 0, ""), ENOEXEC);
}

static void load_module_file(const struct probe *self)
{
    (void)self;
    trying("finit_module");
    checked(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

static void unload_module(const struct probe *self)
{
    (void)self;
    trying("delete_module");
    checked(syscall(SYS_delete_module, "probe_no_such_module", O_NONBLOCK), ENOENT);
}

static void bpf_map(const struct probe *self)
{
    union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
    (void)self;
    MUST("bpf(MAP_CREATE)", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
    surface("a BPF map");
}

static void bpf_program(const struct probe *self)
{
    struct bpf_insn code[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    union bpf_attr program = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
                               .insn_cnt = 2,
                               .insns = (unsigned long)code,
                               .license = (unsigned long)"GPL" };
    (void)self;
    MUST("bpf(PROG_LOAD)", syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof program));
    surface("a BPF program");
}

/* Programs and maps of the host have numbers, too. */
static void bpf_ids(const struct probe *self)
{
    union bpf_attr next = { .start_id = 0 };
    (void)self;
    trying("bpf(PROG_GET_NEXT_ID)");
    if (syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &next, sizeof next) == 0)
        outside("sees BPF program %u", next.next_id);
    if (errno == ENOENT)
        past("may list BPF programs, there are none");
    refused();
}

static void perf(const struct probe *self)
{
    struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE,
                                     .size = sizeof event,
                                     .config = PERF_COUNT_SW_CPU_CLOCK,
                                     .disabled = 1,
                                     .exclude_kernel = 1,
                                     .exclude_hv = 1 };
    bool everyone = self->number;
    trying("perf_event_open(%s)", everyone ? "all processes" : "self");
    if (syscall(SYS_perf_event_open, &event, everyone ? -1 : 0, everyone ? 0 : -1, -1, 0) < 0)
        refused();
    if (everyone)
        outside("counts events of all processes");
    surface("counts its own events");
}

static void user_faults(const struct probe *self)
{
    trying("userfaultfd(%#lx)", self->number);
    if (syscall(SYS_userfaultfd, self->number) < 0)
        refused();
    surface("a userfaultfd%s", self->number ? " for faults of user mode" : "");
}

static void uring(const struct probe *self)
{
    struct io_uring_params parameters = { 0 };
    (void)self;
    MUST("io_uring_setup", syscall(SYS_io_uring_setup, 1, &parameters));
    surface("an io_uring");
}

static void kernel_log(const struct probe *self)
{
    char text[256];
    (void)self;
    long length = MUST("syslog(READ_ALL)", klogctl(3, text, sizeof text));
    outside("read %ld bytes of the kernel's log", length);
}

/* Command 8 sets the level of the console's log; 0 is no level. */
static void kernel_log_level(const struct probe *self)
{
    (void)self;
    trying("syslog(CONSOLE_LEVEL, 0)");
    checked(klogctl(8, NULL, 0), EINVAL);
}

static void fanotify(const struct probe *self)
{
    trying("fanotify_init(%#lx)", self->number);
    int fd = fanotify_init((unsigned)self->number, O_RDONLY);
    if (fd < 0)
        refused();
    if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "/") == 0)
        outside("hears of every file opened on the filesystem of /");
    harmless("fanotify opened, but %s at marking a filesystem", errno_name(errno));
}

const struct probe kernel_probes[] = {
    { .name = "kexec-load", .what = "kexec_load with too many segments", .run = kexec },
    { .name = "kexec-file-load", .what = "kexec_file_load with unknown flags", .run = kexec_file },
    { .name = "init-module", .what = "init_module of nothing", .run = load_module },
    { .name = "finit-module", .what = "finit_module of no descriptor", .run = load_module_file },
    { .name = "delete-module", .what = "delete_module of none", .run = unload_module },
    { .name = "bpf-map", .what = "create a BPF map", .run = bpf_map },
    { .name = "bpf-prog", .what = "load a BPF socket filter", .run = bpf_program },
    { .name = "bpf-ids", .what = "list BPF programs", .run = bpf_ids },
    { .name = "perf-self", .what = "perf_event_open of itself", .run = perf, .number = 0 },
    { .name = "perf-all", .what = "perf_event_open of all processes", .run = perf, .number = 1 },
    { .name = "userfaultfd", .what = "userfaultfd", .run = user_faults, .number = 0 },
    { .name = "userfaultfd-user", .what = "userfaultfd for user mode only", .run = user_faults, .number = 1 },
    { .name = "io-uring", .what = "io_uring_setup", .run = uring },
    { .name = "syslog-read", .what = "read the kernel's log by syslog(2)", .run = kernel_log },
    { .name = "syslog-level", .what = "set an impossible log level", .run = kernel_log_level },
    { .name = "fanotify",
      .what = "fanotify of the whole filesystem",
      .run = fanotify,
      .number = FAN_CLASS_NOTIF },
    { .name = "fanotify-permission",
      .what = "fanotify that decides about opening",
      .run = fanotify,
      .number = FAN_CLASS_CONTENT },
    { 0 },
};
