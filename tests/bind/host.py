# Services of the host: on every address at 9000, on its loopback at 9001.
import socket, sys, threading

def serve(family, address, port):
    listener = socket.socket(family)
    listener.bind((address, port))
    listener.listen()
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind((address, port))

    def accept():
        while True:
            peer = listener.accept()
            peer[0].sendall(("host " + peer[1][0]).encode())

    def answer():
        while True:
            _, peer = datagrams.recvfrom(100)
            datagrams.sendto(("host " + peer[0]).encode(), peer)

    for work in accept, answer:
        threading.Thread(target=work, daemon=True).start()


def answer_all():
    """Who asks is answered to all."""
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind(("198.51.100.1", 9002))
    asked.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("198.51.100.1"))
    while True:
        asked.recvfrom(100)
        asked.sendto(b"to all", ("224.0.0.251", 5353))


abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0jaula-host")
abstract.listen()
threading.Thread(target=answer_all, daemon=True).start()
serve(socket.AF_INET, "0.0.0.0", 9000)
serve(socket.AF_INET, "127.0.0.1", 9001)
serve(socket.AF_INET6, "2001:db8::99", 9000)
print("ready", flush=True)
sys.stdin.read()
