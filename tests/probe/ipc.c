/* Things that jails could meet by: System V IPC, message queues, /dev/shm, abstract sockets. */
#include "probe.h"

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

static key_t key(void)
{
    if (options.count != 1)
        untried("needs KEY, a number");
    return (key_t)strtoul(options.args[0], NULL, 0);
}

static void sysv_put(const struct probe *self)
{
    (void)self;
    key_t where = key();
    long shared = MUST("shmget", shmget(where, 4096, IPC_CREAT | 0666));
    char *memory = shmat((int)shared, NULL, 0);
    if (memory != (char *)-1)
        strcpy(memory, "probe");
    MUST("semget", semget(where, 1, IPC_CREAT | 0666));
    MUST("msgget", msgget(where, IPC_CREAT | 0666));
    within("ipc", "left memory, a semaphore and a queue with key %#x", (unsigned)where);
}

/* Removes what it finds. */
static void sysv_get(const struct probe *self)
{
    (void)self;
    key_t where = key();
    int shared = shmget(where, 0, 0), semaphore = semget(where, 0, 0);
    trying("shmget, semget, msgget");
    int queue = msgget(where, 0), why = errno;
    if (shared >= 0)
        shmctl(shared, IPC_RMID, NULL);
    if (semaphore >= 0)
        semctl(semaphore, 0, IPC_RMID);
    if (queue >= 0)
        msgctl(queue, IPC_RMID, NULL);
    if (shared >= 0 || semaphore >= 0 || queue >= 0)
        outside("found%s%s%s with key %#x", shared >= 0 ? " memory" : "",
                semaphore >= 0 ? " a semaphore" : "", queue >= 0 ? " a queue" : "", (unsigned)where);
    errno = why;
    refused();
}

static const char *path_name(void)
{
    static char path[128];
    if (options.count != 1 || strchr(options.args[0], '/'))
        untried("needs NAME, without a slash");
    snprintf(path, sizeof path, "/%.100s", options.args[0]);
    return path;
}

static void queue_put(const struct probe *self)
{
    (void)self;
    MUST("mq_open", mq_open(path_name(), O_RDWR | O_CREAT, 0666, NULL));
    within("ipc", "left a message queue %s", path_name());
}

static void queue_get(const struct probe *self)
{
    (void)self;
    MUST("mq_open", mq_open(path_name(), O_RDONLY));
    mq_unlink(path_name());
    outside("found message queue %s", path_name());
}

static void shared_put(const struct probe *self)
{
    char path[160];
    (void)self;
    snprintf(path, sizeof path, "/dev/shm%s", path_name());
    MUST("open(/dev/shm)", open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    harmless("left %s", path);
}

static void shared_get(const struct probe *self)
{
    char path[160];
    (void)self;
    snprintf(path, sizeof path, "/dev/shm%s", path_name());
    MUST("open(/dev/shm)", open(path, O_RDONLY | O_CLOEXEC));
    unlink(path);
    outside("found %s", path);
}

/* The host listens on --name; abstract names belong to a network namespace. */
static void abstract(const struct probe *self)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!options.name)
        untried("needs --name ABSTRACT-SOCKET");
    size_t length = strnlen(options.name, sizeof address.sun_path - 1);
    memcpy(address.sun_path + 1, options.name, length);
    int type = (int)self->number | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int fd = (int)MUST("socket(AF_UNIX)", socket(AF_UNIX, type, 0));
    trying("connect");
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    /* EAGAIN: it is there, but many others wait for it. */
    if (connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EAGAIN)
        refused();
    outside("connected to the abstract socket %s", options.name);
}

const struct probe ipc_probes[] = {
    { .name = "abstract-stream",
      .what = "connect to the host's abstract stream socket --name",
      .run = abstract,
      .number = SOCK_STREAM },
    { .name = "abstract-dgram",
      .what = "connect to the host's abstract datagram socket --name",
      .run = abstract,
      .number = SOCK_DGRAM },
    { .name = "sysv-put",
      .what = "KEY: leave System V memory, semaphore, queue",
      .run = sysv_put,
      .only_asked = true },
    { .name = "sysv-get", .what = "KEY: find and remove those", .run = sysv_get, .only_asked = true },
    { .name = "mq-put", .what = "NAME: leave a POSIX message queue", .run = queue_put, .only_asked = true },
    { .name = "mq-get", .what = "NAME: find and remove it", .run = queue_get, .only_asked = true },
    { .name = "shm-put", .what = "NAME: leave a file in /dev/shm", .run = shared_put, .only_asked = true },
    { .name = "shm-get", .what = "NAME: find and remove it", .run = shared_get, .only_asked = true },
    { 0 },
};
