/* Makes a subvolume of btrfs in a directory; prints what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

struct volume {
    long long fd;
    char name[4088];
};

int main(int argc, char **argv)
{
    static struct volume volume;
    if (argc != 3)
        return 2;
    int dir = open(argv[1], O_RDONLY | O_DIRECTORY);
    strncpy(volume.name, argv[2], 255);
    int done = ioctl(dir, _IOW(0x94, 14, struct volume), &volume);
    puts(done == 0 ? "made" : errno == EPERM ? "EPERM" : strerror(errno));
    return 0;
}
