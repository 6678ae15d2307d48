# What is tried inside a jail at 192.0.2.10 and 2001:db8::10; each line says what was done and what came of it.
import errno, socket, struct, sys, threading

V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM


def say(what, attempt):
    try:
        result = attempt()
    except socket.timeout:
        result = "nothing"
    except OSError as e:
        result = errno.errorcode[e.errno]
    print(f"{what}: {result}", flush=True)


def bind(family, kind, address, only=0):
    s = socket.socket(family, kind)
    if family == V6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    s.bind((address, 80))
    return s.getsockname()[0]


def serve(family, address, port):
    listener = socket.socket(family)
    listener.bind((address, port))
    listener.listen()
    datagrams = socket.socket(family, UDP)
    datagrams.bind((address, port))

    def accept():
        while True:
            peer = listener.accept()
            peer[0].sendall(("hello " + peer[1][0]).encode())

    def answer():
        while True:
            _, peer = datagrams.recvfrom(100)
            datagrams.sendto(("hello " + peer[0]).encode(), peer)

    for work in accept, answer:
        threading.Thread(target=work, daemon=True).start()


def connect(family, address, port):
    s = socket.socket(family)
    s.settimeout(5)
    s.connect((address, port))
    return f"{s.getsockname()[0]} {s.getpeername()[0]} {s.recv(100).decode()}"


def send(family, address, port, connected):
    s = socket.socket(family, UDP)
    s.settimeout(5)
    if connected:
        s.connect((address, port))
        s.send(b"x")
    else:
        s.sendto(b"x", (address, port))
    data, peer = s.recvfrom(100)
    return f"{peer[0]} {data.decode()}"


def send_from(source, connected):
    s = socket.socket(V4, UDP)
    s.settimeout(0.5)
    info = [(socket.IPPROTO_IP, 8, struct.pack("I4s4s", 0, socket.inet_aton(source), bytes(4)))]
    if connected:
        s.connect(("198.51.100.1", 9000))
        s.sendmsg([b"x"], info)
    else:
        s.sendmsg([b"x"], info, 0, ("198.51.100.1", 9000))
    return "sent"


if sys.argv[1] == "bind":
    for kind in TCP, UDP:
        for address in sys.argv[2].split():
            family = V6 if ":" in address else V4
            say(f"{kind.name} {address}", lambda: bind(family, kind, address))
        say(f"{kind.name} :: alone", lambda: bind(V6, kind, "::", 1))
elif sys.argv[1] == "reach":
    serve(V4, "0.0.0.0", 7001)
    serve(V4, "127.0.0.1", 7002)
    for target in sys.argv[2].split():
        address, port = target.rsplit(",", 1)
        family = V6 if ":" in address else V4
        say(f"connect {target}", lambda: connect(family, address, int(port)))
        say(f"send {target}", lambda: send(family, address, int(port), False))
        # The host answers on every address from the nearest one, which a connected socket does not hear.
        if address != "192.0.2.11" and not address.endswith("198.51.100.1"):
            say(f"connected {target}", lambda: send(family, address, int(port), True))
    for source in "192.0.2.10", "192.0.2.11", "198.51.100.1", "127.0.0.1":
        say(f"from {source}", lambda: send_from(source, False))
        say(f"connected, from {source}", lambda: send_from(source, True))
elif sys.argv[1] == "sockets":
    kinds = [("tcp", TCP, 6), ("udp", UDP, 17), ("ping", UDP, 1), ("mptcp", TCP, 262), ("udplite", UDP, 136),
             ("sctp", TCP, 132), ("raw", socket.SOCK_RAW, 1)]
    for name, kind, protocol in kinds:
        say(name, lambda: socket.socket(V4, kind, protocol) and "made")
    say("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) and "made")

    def ping_from(source):
        s = socket.socket(V4, UDP, 1)
        s.settimeout(5)
        if source:
            s.bind((source, 0))
        s.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1), ("198.51.100.1", 0))
        return "answered by " + s.recvfrom(100)[1][0]

    for source in "192.0.2.10", "192.0.2.11", "198.51.100.1", "":
        say(f"ping from {source}", lambda: ping_from(source))

    # Waits on every address of the host, as the kernel sees it.
    unbound = socket.socket()
    unbound.listen()
    print("port", unbound.getsockname()[1], flush=True)
    sys.stdin.read()
elif sys.argv[1] == "escapes":
    # Every way to the addresses of the neighbour and of the host.
    def option(s, level, name, value=1):
        s.setsockopt(level, name, value)
        return s

    def bind_with(family, address, level, name):
        s = socket.socket(family, UDP)
        try:
            option(s, level, name)
        except PermissionError:
            pass
        s.bind((address, 0))
        return s.getsockname()[0]

    IP, IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
    ways = [("freebind", IP, 15), ("transparent", IP, 19), ("late port", IP, 24)]
    ways6 = [("freebind", IPV6, 78), ("transparent", IPV6, 75)]
    for address in "192.0.2.11", "198.51.100.1", "127.0.0.2", "203.0.113.1":
        for name, level, number in ways:
            say(f"{name} {address}", lambda: bind_with(V4, address, level, number))
    for address in "2001:db8::99", "2001:db8::77", "::ffff:198.51.100.1":
        for name, level, number in ways6:
            say(f"{name} {address}", lambda: bind_with(V6, address, level, number))

    def heard(s):
        s.settimeout(5)
        return s.recv(100).decode()

    def fast_open():
        s = socket.socket()
        s.sendto(b"x", 0x20000000, ("198.51.100.1", 9000))
        return heard(s)

    def to_device():
        s = option(socket.socket(), socket.SOL_SOCKET, 25, b"lo")
        s.connect(("198.51.100.1", 9000))
        return heard(s)

    def without_copy():
        s = option(socket.socket(V4, UDP), socket.SOL_SOCKET, 60)
        s.sendto(b"x", 0x4000000, ("198.51.100.1", 9000))
        return heard(s)

    def disconnected():
        s = socket.socket(V4, UDP)
        s.connect(("198.51.100.1", 9000))
        port = s.getsockname()[1]
        libc.connect(s.fileno(), bytes(16), 16)
        assert s.getsockname()[0] in ("192.0.2.10", "0.0.0.0"), s.getsockname()
        s.sendto(b"x", ("198.51.100.1", 9000))
        return heard(s)

    def connected_ping(family, address, kind):
        s = socket.socket(family, UDP, 1 if family == V4 else 58)
        s.connect((address, 0))
        s.send(struct.pack("!BBHHH", kind, 0, 0, 0, 1))
        s.settimeout(5)
        s.recv(100)
        return s.getsockname()[0]

    def multicast():
        s = socket.socket(V4, UDP)
        s.bind(("", 5353))
        option(s, IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + socket.inet_aton("198.51.100.1"))
        s.settimeout(0.5)
        s.sendto(b"x", ("198.51.100.1", 9002))
        return s.recv(100)

    def broadcast():
        s = option(socket.socket(V4, UDP), socket.SOL_SOCKET, socket.SO_BROADCAST)
        s.bind(("", 0))
        s.sendto(b"x", ("255.255.255.255", 9000))
        return s.getsockname()[0]

    import ctypes
    libc = ctypes.CDLL(None)
    for way in fast_open, to_device, without_copy, disconnected, multicast, broadcast:
        say(way.__name__, way)
    say("connected ping", lambda: connected_ping(V4, "198.51.100.1", 8))
    say("connected ping6", lambda: connected_ping(V6, "2001:db8::99", 128))

    def unix():
        s = socket.socket(socket.AF_UNIX)
        s.connect("\0jaula-host")

    say("abstract", unix)
    families = [("route", 16, 3, 0), ("sock_diag", 16, 3, 4), ("netfilter", 16, 3, 12), ("generic", 16, 3, 16),
                ("alg", 38, 5, 0), ("vsock", 40, 1, 0), ("packet", 17, 3, 0), ("key", 15, 3, 2), ("tipc", 30, 1, 0),
                ("dccp", 2, 6, 33), ("sctp6", 10, 1, 132), ("mptcp6", 10, 1, 262), ("udplite6", 10, 2, 136),
                ("raw6", 10, 3, 58), ("rds", 21, 5, 0), ("smc", 43, 1, 0), ("xdp", 44, 3, 0)]
    for name, family, kind, protocol in families:
        say(name, lambda: socket.socket(family, kind, protocol) and "made")
elif sys.argv[1] == "serve":
    serve(V4, "0.0.0.0", 8080)
    print("ready", flush=True)
    sys.stdin.read()
