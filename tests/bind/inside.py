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
elif sys.argv[1] == "serve":
    serve(V4, "0.0.0.0", 8080)
    print("ready", flush=True)
    sys.stdin.read()
