"""The one door: passes each connection on to one of the containers that the name `web` stands for, in turn."""

import itertools
import os
import socket
import socketserver
import threading

NAME, PORT = os.environ.get("UPSTREAM", "web"), 8080
turn = itertools.count()


def connect():
    """To the next of them; those that do not answer are left out."""
    addresses = sorted({info[4] for info in socket.getaddrinfo(NAME, PORT, type=socket.SOCK_STREAM)})
    first = next(turn)
    for offset in range(len(addresses)):
        try:
            return socket.create_connection(addresses[(first + offset) % len(addresses)][:2], 2)
        except OSError:
            continue
    raise OSError(f"none of {NAME} answers")


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Door(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            upstream = connect()
        except OSError:
            self.request.sendall(b"HTTP/1.0 502 Bad Gateway\r\n\r\n")
            return
        with upstream:
            back = threading.Thread(target=copy, args=(upstream, self.request))
            back.start()
            copy(self.request, upstream)
            back.join()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("", PORT), Door).serve_forever()
