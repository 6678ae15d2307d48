/* Socket families: those that lead past every namespace, and those that hear a network. */
#include "probe.h"

#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* text: the type of the namespace that holds it, or empty if none does. */
#define FAMILY(NUMBER) (int)((NUMBER) >> 16)
#define TYPE(NUMBER) (int)((NUMBER) >> 8 & 0xff)
#define PROTOCOL(NUMBER) (int)((NUMBER) & 0xff)
#define PACK(FAMILY, TYPE, PROTOCOL) ((long)(FAMILY) << 16 | (TYPE) << 8 | (PROTOCOL))

static int open_socket(const struct probe *self)
{
    return (int)MUST(self->what,
                     socket(FAMILY(self->number), TYPE(self->number) | SOCK_CLOEXEC, PROTOCOL(self->number)));
}

static void plain(const struct probe *self)
{
    open_socket(self);
    if (*self->text)
        within(self->text, "%s opened", self->what);
    surface("%s opened", self->what);
}

static void algorithm(const struct probe *self)
{
    struct sockaddr_alg address = { .salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha256" };
    int fd = open_socket(self);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    bool accepted = bound && accept(fd, NULL, NULL) >= 0;
    surface("AF_ALG opened%s%s", bound ? ", bound" : "", accepted ? ", accepted" : "");
}

static void vsock(const struct probe *self)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK,
                                   .svm_cid = VMADDR_CID_ANY,
                                   .svm_port = VMADDR_PORT_ANY };
    int fd = open_socket(self);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    surface("AF_VSOCK opened%s", bound ? " and bound" : "");
}

static void netlink(const struct probe *self)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
    int fd = open_socket(self);
    bool hears = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (*self->text)
        within(self->text, "%s opened%s", self->what, hears ? ", hears group 1" : "");
    surface("%s opened%s", self->what, hears ? ", hears group 1" : "");
}

/* Every family that has no probe of its own; the kernel may load a module for each. */
static void unusual(const struct probe *self)
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
    int opened = 0, first = 0, families = 0;
    (void)self;
    for (int family = 1; family < 64; family++) {
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK ||
            family == AF_PACKET || family == AF_ALG || family == AF_VSOCK)
            continue;
        families++;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            trying("socket(%d, %d)", family, types[i]);
            if (socket(family, types[i] | SOCK_CLOEXEC, 0) < 0)
                continue;
            list("family %d type %d", family, types[i]);
            if (opened++ == 0)
                first = family;
        }
    }
    if (opened)
        surface("%d sockets of unusual families opened, the first of family %d", opened, first);
    trying("socket of each of %d families", families);
    refused();
}

#define SOCKET(NAME, RUN, FAMILY, TYPE, PROTOCOL, SPACE)       \
    { .name = NAME,                                            \
      .what = "socket(" #FAMILY ", " #TYPE ", " #PROTOCOL ")", \
      .run = RUN,                                              \
      .number = PACK(FAMILY, TYPE, PROTOCOL),                  \
      .text = SPACE }

const struct probe socket_probes[] = {
    SOCKET("socket-alg", algorithm, AF_ALG, SOCK_SEQPACKET, 0, ""),
    SOCKET("socket-vsock", vsock, AF_VSOCK, SOCK_STREAM, 0, ""),
    SOCKET("socket-vsock-dgram", vsock, AF_VSOCK, SOCK_DGRAM, 0, ""),
    SOCKET("socket-packet", plain, AF_PACKET, SOCK_RAW, 0, "net"),
    SOCKET("socket-packet-dgram", plain, AF_PACKET, SOCK_DGRAM, 0, "net"),
    SOCKET("socket-raw", plain, AF_INET, SOCK_RAW, IPPROTO_RAW, "net"),
    SOCKET("socket-raw-icmp", plain, AF_INET, SOCK_RAW, IPPROTO_ICMP, "net"),
    SOCKET("socket-raw6-icmp", plain, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "net"),
    SOCKET("socket-ping", plain, AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "net"),
    SOCKET("netlink-route", netlink, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, "net"),
    SOCKET("netlink-sock-diag", netlink, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, "net"),
    SOCKET("netlink-netfilter", netlink, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, "net"),
    SOCKET("netlink-xfrm", netlink, AF_NETLINK, SOCK_RAW, NETLINK_XFRM, "net"),
    SOCKET("netlink-generic", netlink, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, "net"),
    SOCKET("netlink-uevent", netlink, AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT, "net"),
    SOCKET("netlink-audit", netlink, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT, ""),
    SOCKET("netlink-crypto", netlink, AF_NETLINK, SOCK_RAW, NETLINK_CRYPTO, ""),
    SOCKET("netlink-connector", netlink, AF_NETLINK, SOCK_RAW, NETLINK_CONNECTOR, ""),
    SOCKET("socket-rds", plain, AF_RDS, SOCK_SEQPACKET, 0, ""),
    SOCKET("socket-tipc", plain, AF_TIPC, SOCK_SEQPACKET, 0, ""),
    SOCKET("socket-kcm", plain, AF_KCM, SOCK_SEQPACKET, 0, ""),
    SOCKET("socket-bluetooth", plain, AF_BLUETOOTH, SOCK_RAW, 1, ""),
    SOCKET("socket-can", plain, AF_CAN, SOCK_RAW, 1, ""),
    SOCKET("socket-x25", plain, AF_X25, SOCK_SEQPACKET, 0, ""),
    SOCKET("socket-xdp", plain, AF_XDP, SOCK_RAW, 0, ""),
    { .name = "socket-unusual",
      .what = "a socket of every family but unix, inet, netlink and those above",
      .run = unusual },
    { 0 },
};
