# One flow of data and what of it comes through: `flow.py receive|send tcp|udp ADDRESS PORT SECONDS RATE`.
# Whoever receives waits for the other and prints the bits of payload in a second; datagrams are sent twice as fast as
# RATE (bits a second), a stream as fast as it goes. `frames` are datagrams that are sent past the sockets of IP.
import socket, struct, sys, time

role, protocol, address, port, seconds, rate = sys.argv[1:]
port, seconds, rate = int(port), float(seconds), float(rate)
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
s = socket.socket(family, kind)

if role == "receive":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    if protocol == "tcp":
        s.listen()
    print("ready", flush=True)
    if protocol == "tcp":
        s = s.accept()[0]
        # At its end the other one hears so, even if nothing is here that could answer any more.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.settimeout(20)
    # What goes at once at the beginning is not counted.
    s.recv(1 << 16)
    start = time.monotonic()
    while time.monotonic() < start + 1:
        s.recv(1 << 16)
    start, bits = time.monotonic(), 0
    while (now := time.monotonic()) < start + seconds:
        bits += 8 * len(s.recv(1 << 16))
    print(f"rate {bits / (now - start):.0f}", flush=True)
else:
    if protocol == "tcp":
        s.settimeout(20)
        s.connect((address, port))
    send = lambda data: s.sendto(data, (address, port))
    if protocol == "frames":
        s.connect((address, port))
        s.send(b"asks for the hardware address of who is next")
        time.sleep(0.5)
        arp = [line.split()[3] for line in list(open("/proc/net/arp"))[1:]]
        arp = [bytes.fromhex(mac.replace(":", "")) for mac in arp if mac != "00:00:00:00:00:00"]
        own = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
        ends = socket.inet_aton(s.getsockname()[0]) + socket.inet_aton(address)
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("eth0", 0))
        def send(data):
            udp = struct.pack("!HHHH", 1000, port, 8 + len(data), 0) + data
            head = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(udp), 0, 64, 17, 0) + ends
            total = sum(struct.unpack("!10H", head))
            total = (total & 0xffff) + (total >> 16)
            head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + head[12:]
            raw.send(arp[0] + own + b"\x08\0" + head + udp)
    print("begins", flush=True)
    start, bits, data = time.monotonic(), 0, bytes(1 << 16 if protocol == "tcp" else 1200)
    while (past := time.monotonic() - start) < seconds + 3:
        try:
            if protocol == "tcp":
                s.send(data)
            elif bits > 2 * rate * past:
                time.sleep(0.001)
            else:
                send(data)
                bits += 8 * len(data)
        except ConnectionError:
            # The other one has heard enough.
            break
