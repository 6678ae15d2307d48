# One flow of data and what of it comes through: `flow.py receive|send tcp|udp ADDRESS PORT SECONDS RATE`.
# Whoever receives waits for the other and prints the bits of payload in a second; datagrams are sent twice as fast as
# RATE (bits a second), a stream as fast as it goes.
import socket, sys, time

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
    print("begins", flush=True)
    start, bits, data = time.monotonic(), 0, bytes(1 << 16 if protocol == "tcp" else 1200)
    while (past := time.monotonic() - start) < seconds + 3:
        try:
            if protocol == "tcp":
                s.send(data)
            elif bits > 2 * rate * past:
                time.sleep(0.001)
            else:
                s.sendto(data, (address, port))
                bits += 8 * len(data)
        except ConnectionError:
            # The other one has heard enough.
            break
