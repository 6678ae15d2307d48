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

serve(socket.AF_INET, "0.0.0.0", 9000)
serve(socket.AF_INET, "127.0.0.1", 9001)
serve(socket.AF_INET6, "2001:db8::99", 9000)
print("ready", flush=True)
sys.stdin.read()
