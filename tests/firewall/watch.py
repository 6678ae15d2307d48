# Prints the names of the frames of frames.py that come in by an interface, until the last ones of them.
import re, socket, sys

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
s.settimeout(20)
print("ready", flush=True)
seen = set()
while not {"end", "end6"} <= seen:
    seen |= {name.decode() for name in re.findall(rb"<(\w+)>", s.recv(2000))}
print(" ".join(sorted(seen)))
