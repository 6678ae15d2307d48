/* What was inherited: descriptors. */
#include "probe.h"

static void descriptors(const struct probe *self)
{
    int count = 0, extra = 0;
    char path[64], target[512], first[512] = "";
    (void)self;
    for (int fd = 0; fd < 65536; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        list("%d -> %s", fd, length < 0 ? "?" : target);
        count++;
        if (fd > 2 && extra++ == 0)
            snprintf(first, sizeof first, "%d -> %.400s", fd, length < 0 ? "?" : target);
    }
    if (extra)
        outside("%d open, %d more than 0 1 2, the first %s", count, extra, first);
    harmless("%d open: none beside 0 1 2", count);
}

const struct probe fd_probes[] = {
    { .name = "fds", .what = "list the open descriptors; only 0 1 2 should be there", .run = descriptors },
    { 0 },
};
