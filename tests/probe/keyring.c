/* Keys: the user's keyrings belong to a user id, not to a jail. */
#include "probe.h"

#include <linux/keyctl.h>

static const struct {
    const char *name;
    int id;
} rings[] = {
    { "session", KEY_SPEC_SESSION_KEYRING },
    { "user", KEY_SPEC_USER_KEYRING },
    { "user-session", KEY_SPEC_USER_SESSION_KEYRING },
    { "process", KEY_SPEC_PROCESS_KEYRING },
    { "thread", KEY_SPEC_THREAD_KEYRING },
};

static long add_key(const char *description, int ring)
{
    return syscall(SYS_add_key, "user", description, "probe", 5, ring);
}

static void add(const struct probe *self)
{
    trying("add_key(%s keyring)", rings[self->number].name);
    long key = add_key("probe-passing", rings[self->number].id);
    if (key < 0)
        refused();
    syscall(SYS_keyctl, KEYCTL_UNLINK, key, rings[self->number].id);
    surface("added a key to the %s keyring", rings[self->number].name);
}

static const char *description(void)
{
    if (options.count != 1)
        untried("needs DESCRIPTION");
    return options.args[0];
}

/* Leaves a key in each keyring that outlives us; the kernel drops it after two minutes. */
static void put(const struct probe *self)
{
    int count = 0, why = 0;
    (void)self;
    description();
    trying("add_key");
    for (int i = 0; i < 3; i++) {
        long key = add_key(description(), rings[i].id);
        if (key < 0) {
            why = errno;
            continue;
        }
        /* Like a shared file, in the hope that others look: possessor and user may do anything. */
        syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000);
        syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, 120);
        list("key %ld in the %s keyring", key, rings[i].name);
        count++;
    }
    if (count)
        surface("left a key in %d keyrings", count);
    errno = why;
    refused();
}

/* /proc/keys also shows keys that we may see without possessing their keyring. */
static bool listed(const char *wanted, char *line, size_t size)
{
    FILE *keys = fopen("/proc/keys", "re");
    bool found = false;
    *line = 0;
    while (keys && !found && fgets(line, (int)size, keys))
        found = strstr(line, wanted) != NULL;
    if (keys)
        fclose(keys);
    line[strcspn(line, "\n")] = 0;
    return found;
}

static void get(const struct probe *self)
{
    char text[512];
    int why = ENOKEY;
    (void)self;
    const char *wanted = description();
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) {
        trying("keyctl(SEARCH, %s)", rings[i].name);
        long key = syscall(SYS_keyctl, KEYCTL_SEARCH, rings[i].id, "user", wanted, 0);
        if (key >= 0 && syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text) >= 0)
            outside("read key %ld of the %s keyring", key, rings[i].name);
        why = key < 0 ? errno : why;
    }
    trying("request_key");
    if (syscall(SYS_request_key, "user", wanted, NULL, 0) >= 0)
        outside("request_key found it");
    if (listed(wanted, text, sizeof text))
        outside("/proc/keys lists it: %s", text);
    errno = why;
    refused();
}

/* Without callout information nothing is started on the host. */
static void request(const struct probe *self)
{
    (void)self;
    trying("request_key");
    long key = syscall(SYS_request_key, "user", "probe-no-such-key", NULL, 0);
    if (key < 0 && errno == ENOKEY)
        surface("request_key searches");
    checked(key, 0);
}

static void join(const struct probe *self)
{
    const char *name = options.count ? options.args[0] : NULL;
    (void)self;
    long ring = MUST("keyctl(JOIN_SESSION_KEYRING)", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name));
    surface("joined session keyring %ld", ring);
}

const struct probe keyring_probes[] = {
    { .name = "add-key-session", .what = "add a key to the session keyring", .run = add, .number = 0 },
    { .name = "add-key-user", .what = "add a key to the user keyring", .run = add, .number = 1 },
    { .name = "add-key-user-session",
      .what = "add a key to the user-session keyring",
      .run = add,
      .number = 2 },
    { .name = "add-key-process", .what = "add a key to the process keyring", .run = add, .number = 3 },
    { .name = "request-key", .what = "search a key with request_key", .run = request },
    { .name = "join-session", .what = "[NAME] join a new or named session keyring", .run = join },
    { .name = "keyctl-put",
      .what = "DESCRIPTION: leave a key for two minutes",
      .run = put,
      .only_asked = true },
    { .name = "keyctl-get", .what = "DESCRIPTION: find and read that key", .run = get, .only_asked = true },
    { 0 },
};
