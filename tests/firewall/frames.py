# Sends raw frames from a jail: those of its own, and those that are somebody else's to send. Arguments: the
# hardware address that they go to, the jail's IPv4 and IPv6 address, and whom packets are for. Each has its name
# at its end.
import socket, struct, sys

to, own4, own6, other4, other6 = sys.argv[1:6]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac = s.getsockname()[4]
to = bytes.fromhex(to.replace(":", ""))
all_ = b"\xff" * 6
liar = bytes.fromhex("020000000099")
four = socket.inet_aton
six = lambda text: socket.inet_pton(socket.AF_INET6, text)
local = bytes([0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]])
alien4, alien6 = four("10.90.0.99"), six("fd00:90::99")
own4, own6, other4, other6 = four(own4), six(own6), four(other4), six(other6)
everybody, nodes = four("255.255.255.255"), six("ff02::1")

def sum16(b):
    b += b"\0" * (len(b) % 2)
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n >> 16) + (n & 0xffff)
    return ~(n + (n >> 16)) & 0xffff

def ip(source, destination, protocol, body, options=b""):
    head = lambda c: struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), 1, 0, 64, protocol, c) \
        + source + destination + options
    return head(sum16(head(0))) + body

def ip6(source, destination, protocol, body):
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 255) + source + destination + body

def udp(source, destination, body):
    return struct.pack("!HHHH", source, destination, 8 + len(body), 0) + body

def icmp6(source, destination, kind, body):
    false = source + destination + struct.pack("!II", 4 + len(body), 58)
    head = struct.pack("!BBH", kind, 0, sum16(false + struct.pack("!BBH", kind, 0, 0) + body))
    return head + body

def arp(kind, hard, proto, wanted):
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, kind) + hard + proto + b"\0" * 6 + wanted

def nd(source, kind, target, name, flags=0x20000000):
    # The option says which hardware address it is, and one that nobody knows carries the name.
    option = bytes([2, 1]) + mac + bytes([253, 3]) + name.ljust(22, b".")
    return icmp6(source, nodes, kind, struct.pack("!I", flags) + target + option)

def ra(name, source=local):
    option = bytes([253, 3]) + name.ljust(22, b".")
    return icmp6(source, nodes, 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + option)

IP, IP6, ARP = 0x800, 0x86dd, 0x806
frames = {
    # What may pass.
    "own4": (to, mac, IP, lambda n: ip(own4, other4, 17, udp(1000, 1001, n))),
    "own6": (to, mac, IP6, lambda n: ip6(own6, other6, 17, udp(1000, 1001, n))),
    "ownarp": (all_, mac, ARP, lambda n: arp(1, mac, own4, four("169.254.1.1")) + n),
    "ownnd": (all_, mac, IP6, lambda n: ip6(own6, nodes, 58, nd(own6, 136, own6, n))),
    # What may not.
    "source4": (to, mac, IP, lambda n: ip(alien4, other4, 17, udp(1000, 1001, n))),
    "source6": (to, mac, IP6, lambda n: ip6(alien6, other6, 17, udp(1000, 1001, n))),
    "mac4": (to, liar, IP, lambda n: ip(own4, other4, 17, udp(1000, 1001, n))),
    "mac6": (to, liar, IP6, lambda n: ip6(own6, other6, 17, udp(1000, 1001, n))),
    "arpip": (all_, mac, ARP, lambda n: arp(2, mac, alien4, four("169.254.1.1")) + n),
    "arpmac": (all_, mac, ARP, lambda n: arp(2, liar, own4, four("169.254.1.1")) + n),
    "nd": (all_, mac, IP6, lambda n: ip6(own6, nodes, 58, nd(own6, 136, alien6, n))),
    "ra": (all_, mac, IP6, lambda n: ip6(local, nodes, 58, ra(n))),
    # Behind a header of options, and behind one of a fragment that is the whole.
    "raoptions": (all_, mac, IP6, lambda n: ip6(local, nodes, 60, bytes([58, 0, 1, 4, 0, 0, 0, 0]) + ra(n))),
    "rafragment": (all_, mac, IP6, lambda n: ip6(local, nodes, 44, struct.pack("!BBHI", 58, 0, 0, 7) + ra(n))),
    "redirect": (all_, mac, IP6, lambda n: ip6(local, nodes, 58, nd(local, 137, alien6 + other6, n))),
    "dhcp4": (all_, mac, IP, lambda n: ip(own4, everybody, 17, udp(67, 68, n))),
    "dhcp4options": (all_, mac, IP, lambda n: ip(own4, everybody, 17, udp(67, 68, n), b"\1" * 4)),
    "dhcp6": (all_, mac, IP6, lambda n: ip6(local, nodes, 17, udp(547, 546, n))),
    # The same from the address that most of what it may send is from.
    "raown": (all_, mac, IP6, lambda n: ip6(own6, nodes, 58, ra(n, own6))),
    "raownoptions": (all_, mac, IP6, lambda n: ip6(own6, nodes, 60, bytes([58, 0, 1, 4, 0, 0, 0, 0]) + ra(n, own6))),
    "redirectown": (all_, mac, IP6, lambda n: ip6(own6, nodes, 58, nd(own6, 137, alien6 + other6, n))),
    "dhcp6own": (all_, mac, IP6, lambda n: ip6(own6, nodes, 17, udp(547, 546, n))),
    "loopback": (all_, mac, IP, lambda n: ip(own4, four("127.0.0.1"), 17, udp(1000, 1001, n))),
    "vlan": (all_, mac, 0x8100, lambda n: struct.pack("!HH", 5, IP) + ip(own4, other4, 17, udp(1000, 1001, n))),
    "kind": (all_, mac, 0x88b5, lambda n: n),
    # After all others of its kind: the host may have to look for whom they are for first.
    "end6": (to, mac, IP6, lambda n: ip6(own6, other6, 17, udp(1000, 1001, n))),
    "end": (to, mac, IP, lambda n: ip(own4, other4, 17, udp(1000, 1001, n))),
}
for name, (destination, source, kind, body) in frames.items():
    s.send(destination + source + struct.pack("!H", kind) + body(("<%s>" % name).encode()))
