/* probe: tries, from inside a jail, what a jail must not allow. README.md says how to read the answers. */
#include "probe.h"

struct options options;

static const struct probe *const areas[] = {
    root_probes,     handle_probes, proc_probes,      fd_probes,     watch_probes,  process_probes,
    tty_probes,      device_probes, mount_probes,     mask_probes,   socket_probes, abi_probes,
    kernel_probes,   system_probes, keyring_probes,   cgroup_probes, ipc_probes,    limit_probes,
    identity_probes, race_probes,   namespace_probes,
};

#define AREAS (sizeof areas / sizeof *areas)

static const struct probe *find(const char *name)
{
    for (size_t area = 0; area < AREAS; area++)
        for (const struct probe *probe = areas[area]; probe->name; probe++)
            if (strcmp(probe->name, name) == 0)
                return probe;
    return NULL;
}

static int list_all(void)
{
    for (size_t area = 0; area < AREAS; area++)
        for (const struct probe *probe = areas[area]; probe->name; probe++)
            printf("%-24s %s%s\n", probe->name, probe->what, probe->only_asked ? " (not in all)" : "");
    return 0;
}

static int run_all(void)
{
    int status = 0;
    for (size_t area = 0; area < AREAS; area++)
        for (const struct probe *probe = areas[area]; probe->name; probe++)
            if (!probe->only_asked && supervise(probe, false) == 1)
                status = 1;
    return status;
}

static int usage(void)
{
    fputs("usage: probe list\n"
          "       probe all|NAME [--marker PATH] [--pid HOST-PID] [--name ABSTRACT-SOCKET]\n"
          "                      [--host-ns \"TYPE:[INODE] …\"] [ARG]…\n",
          stderr);
    return 2;
}

static bool parse(int argc, char **argv)
{
    options.args = calloc((size_t)argc + 1, sizeof *argv);
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            options.args[options.count++] = argv[i];
            continue;
        }
        if (i + 1 == argc)
            return false;
        const char *key = argv[i] + 2, *value = argv[++i];
        if (strcmp(key, "marker") == 0)
            options.marker = value;
        else if (strcmp(key, "name") == 0)
            options.name = value;
        else if (strcmp(key, "host-ns") == 0)
            options.host_ns = value;
        else if (strcmp(key, "pid") == 0 && is_number(value))
            options.pid = atoi(value);
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !parse(argc, argv))
        return usage();
    /* What `setuid-gain` executes: says by its exit status whether it has become root. */
    if (strcmp(argv[1], "am-i-root") == 0)
        return geteuid() == 0 ? 42 : 43;
    if (strcmp(argv[1], "list") == 0)
        return list_all();
    remember_root();
    if (strcmp(argv[1], "all") == 0)
        return run_all();
    const struct probe *probe = find(argv[1]);
    if (!probe) {
        fprintf(stderr, "probe: no probe \"%s\"; `probe list` prints them\n", argv[1]);
        return 2;
    }
    return supervise(probe, true);
}
