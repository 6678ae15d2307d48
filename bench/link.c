/* link KIND: the least that a network of a jail's own costs: the links, addresses and routes of KIND, and nothing else.
 *
 * KIND is none, routed or bridge (of a bridge called jbj). A child in a network namespace of its own waits until its
 * parent has made a pair of links, sets up its own end, and ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    struct nlmsghdr head;
    char rest[1024];
} message;

static void must(long result, const char *what)
{
    if (result < 0) {
        perror(what);
        _exit(125);
    }
}

static void begin(int type, int flags, const void *body, size_t length)
{
    memset(&message, 0, sizeof message);
    message.head.nlmsg_type = (unsigned short)type;
    message.head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
    message.head.nlmsg_len = (unsigned)NLMSG_LENGTH(length);
    memcpy(NLMSG_DATA(&message.head), body, length);
}

static struct rtattr *put(int type, const void *value, size_t length)
{
    struct rtattr *at = (struct rtattr *)((char *)&message + NLMSG_ALIGN(message.head.nlmsg_len));
    at->rta_type = (unsigned short)type;
    at->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length)
        memcpy(RTA_DATA(at), value, length);
    message.head.nlmsg_len = (unsigned)(NLMSG_ALIGN(message.head.nlmsg_len) + RTA_ALIGN(at->rta_len));
    return at;
}

static void close_nest(struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)&message + message.head.nlmsg_len - (char *)nest);
}

static void say(int netlink, const char *what)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[1024];
    } answer;
    must(send(netlink, &message, message.head.nlmsg_len, 0), what);
    must(recv(netlink, &answer, sizeof answer, 0), what);
    if (answer.head.nlmsg_type != NLMSG_ERROR || answer.error.error) {
        fprintf(stderr, "%s: %s\n", what, strerror(-answer.error.error));
        _exit(125);
    }
}

static int open_netlink(void)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    must(netlink, "socket");
    return netlink;
}

static void address(int netlink, unsigned index, const char *text, unsigned char prefix)
{
    struct in_addr ip;
    inet_pton(AF_INET, text, &ip);
    struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_index = index};
    begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    put(IFA_LOCAL, &ip, sizeof ip);
    put(IFA_ADDRESS, &ip, sizeof ip);
    say(netlink, "address");
}

/* TO/PREFIX by the link, through VIA if there is one. */
static void route(int netlink, unsigned index, const char *to, unsigned char prefix, const char *via)
{
    struct in_addr ip;
    struct rtmsg body = {.rtm_family = AF_INET,
                         .rtm_dst_len = prefix,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_STATIC,
                         .rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                         .rtm_type = RTN_UNICAST,
                         .rtm_flags = via ? RTNH_F_ONLINK : 0};
    begin(RTM_NEWROUTE, NLM_F_CREATE, &body, sizeof body);
    if (prefix) {
        inet_pton(AF_INET, to, &ip);
        put(RTA_DST, &ip, sizeof ip);
    }
    if (via) {
        inet_pton(AF_INET, via, &ip);
        put(RTA_GATEWAY, &ip, sizeof ip);
    }
    put(RTA_OIF, &index, sizeof index);
    say(netlink, "route");
}

static void up(int netlink, unsigned index)
{
    struct ifinfomsg body = {.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin(RTM_NEWLINK, 0, &body, sizeof body);
    say(netlink, "up");
}

static void pair(int netlink, pid_t child, unsigned master)
{
    struct ifinfomsg body = {0};
    begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    put(IFLA_IFNAME, "jbl", 4);
    if (master)
        put(IFLA_MASTER, &master, sizeof master);
    struct rtattr *info = put(IFLA_LINKINFO, NULL, 0);
    put(IFLA_INFO_KIND, "veth", 5);
    struct rtattr *data = put(IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = put(VETH_INFO_PEER, &body, sizeof body);
    put(IFLA_IFNAME, "eth0", 5);
    put(IFLA_NET_NS_PID, &child, sizeof child);
    close_nest(peer);
    close_nest(data);
    close_nest(info);
    say(netlink, "veth");
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "none";
    int routed = strcmp(kind, "routed") == 0, bridged = strcmp(kind, "bridge") == 0;
    int go[2];
    must(pipe(go), "pipe");
    struct clone_args args = {.flags = CLONE_NEWNET, .exit_signal = SIGCHLD};
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    must(child, "clone3");
    if (child == 0) {
        char byte;
        must(read(go[0], &byte, 1), "read");
        int netlink = open_netlink();
        up(netlink, 1);
        if (routed || bridged) {
            unsigned index = if_nametoindex("eth0");
            address(netlink, index, routed ? "10.91.0.3" : "10.92.0.3", routed ? 32 : 24);
            up(netlink, index);
            route(netlink, index, "0.0.0.0", 0, routed ? "169.254.1.1" : "10.92.0.1");
        }
        _exit(0);
    }
    if (routed || bridged) {
        int netlink = open_netlink();
        pair(netlink, child, bridged ? if_nametoindex("jbj") : 0);
        unsigned index = if_nametoindex("jbl");
        if (routed)
            address(netlink, index, "169.254.1.1", 32);
        up(netlink, index);
        if (routed)
            route(netlink, index, "10.91.0.3", 32, NULL);
    }
    must(write(go[1], "x", 1), "write");
    int status;
    must(waitpid(child, &status, 0), "waitpid");
    if (routed || bridged) {
        int netlink = open_netlink();
        struct ifinfomsg body = {.ifi_index = (int)if_nametoindex("jbl")};
        if (body.ifi_index) {
            begin(RTM_DELLINK, 0, &body, sizeof body);
            say(netlink, "delete");
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
