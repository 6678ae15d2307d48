/* say DELAY_MS TEXT…: sends each TEXT as a datagram to $NOTIFY_SOCKET after a delay, and then
 * sleeps until it is told to end (sd_notify(3)). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (argc < 2 || !path || strlen(path) >= sizeof to.sun_path || fd < 0) {
        fprintf(stderr, "say: no socket\n");
        return 1;
    }
    strcpy(to.sun_path, path);
    usleep(1000 * atoi(argv[1]));
    for (int n = 2; n < argc; n++) {
        if (sendto(fd, argv[n], strlen(argv[n]), 0, (struct sockaddr *)&to, sizeof to) < 0) {
            perror("say: sendto");
            return 1;
        }
    }
    pause();
    return 0;
}
