/* Devices: making their nodes, opening those that are there. */
#include "probe.h"

#include <sys/sysmacros.h>

static dev_t host_disk(void)
{
    char table[512];
    unsigned first, second;
    if (read_text("/proc/partitions", table, sizeof table)) {
        const char *rest = strstr(table, "\n\n");
        if (rest && sscanf(rest, "%u %u", &first, &second) == 2)
            return makedev(first, second);
    }
    untried("/proc/partitions names no disk");
}

/* Opening says whether the device can be had; nothing is read from it. */
static _Noreturn void judge_node(const char *path, dev_t device)
{
    trying("open(%s)", path);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int why = errno;
    unlink(path);
    if (fd >= 0)
        outside("made and opened device %u:%u", major(device), minor(device));
    if (why == ENXIO || why == ENODEV)
        past("made device %u:%u, opening it ended with %s", major(device), minor(device), errno_name(why));
    harmless("made device %u:%u, but opening it ended with %s", major(device), minor(device),
             errno_name(why));
}

static dev_t device_of(const struct probe *self) { return self->number ? (dev_t)self->number : host_disk(); }

static mode_t kind_of(const struct probe *self) { return (*self->text == 'c' ? S_IFCHR : S_IFBLK) | 0600; }

static void make_node(const struct probe *self)
{
    dev_t device = device_of(self);
    char *path = in_scratch("node");
    MUST("mknod", syscall(SYS_mknod, path, kind_of(self), device));
    judge_node(path, device);
}

static void make_node_at(const struct probe *self)
{
    dev_t device = device_of(self);
    char *path = in_scratch("node");
    int directory = (int)MUST("open", open(scratch(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    MUST("mknodat", syscall(SYS_mknodat, directory, "node", kind_of(self), device));
    judge_node(path, device);
}

static void open_node(const struct probe *self)
{
    trying("open(%s)", self->text);
    int fd = open(self->text, (int)self->number | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        surface("opened %s", self->text);
    if (errno == ENXIO || errno == ENODEV)
        past("%s is there, opening it ended with %s", self->text, errno_name(errno));
    refused();
}

#define MAKE(NAME, HOW, KIND, WHAT, MAJOR, MINOR) \
    { .name = NAME,                               \
      .what = "make and open " WHAT,              \
      .run = HOW,                                 \
      .number = (MAJOR) << 8 | (MINOR),           \
      .text = KIND }
#define OPEN(NAME, PATH) \
    { .name = NAME, .what = "open " PATH, .run = open_node, .number = O_RDWR, .text = PATH }

const struct probe device_probes[] = {
    MAKE("mknod-disk", make_node, "b", "the first block device of /proc/partitions", 0, 0),
    MAKE("mknod-block", make_node, "b", "block device 8:0, mknod", 8, 0),
    MAKE("mknod-mem", make_node, "c", "character device 1:1 (mem), mknod", 1, 1),
    MAKE("mknod-kmsg", make_node, "c", "character device 1:11 (kmsg), mknod", 1, 11),
    MAKE("mknodat-disk", make_node_at, "b", "the first block device of /proc/partitions, mknodat", 0, 0),
    MAKE("mknodat-block", make_node_at, "b", "block device 8:0, mknodat", 8, 0),
    MAKE("mknodat-mem", make_node_at, "c", "character device 1:1 (mem), mknodat", 1, 1),
    OPEN("dev-mem", "/dev/mem"),
    OPEN("dev-kmem", "/dev/kmem"),
    OPEN("dev-port", "/dev/port"),
    { .name = "dev-kmsg",
      .what = "open /dev/kmsg",
      .run = open_node,
      .number = O_RDONLY,
      .text = "/dev/kmsg" },
    OPEN("dev-kvm", "/dev/kvm"),
    OPEN("dev-fuse", "/dev/fuse"),
    OPEN("dev-loop-control", "/dev/loop-control"),
    OPEN("dev-mapper-control", "/dev/mapper/control"),
    OPEN("dev-btrfs-control", "/dev/btrfs-control"),
    OPEN("dev-tun", "/dev/net/tun"),
    OPEN("dev-vsock", "/dev/vsock"),
    OPEN("dev-userfaultfd", "/dev/userfaultfd"),
    OPEN("dev-cpu-dma-latency", "/dev/cpu_dma_latency"),
    { 0 },
};
