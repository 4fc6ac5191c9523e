"""A name server, for what asks for names of the DNS."""

import contextlib
import socket
import struct
import threading

from support.e2e import frames


class NameServer:
    """A name server at an address of a namespace: whatever is asked for, it gives the addresses of `names`."""

    def __init__(self, net, address):
        self.names = {}
        self.questions = 0
        self._socket = net.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                question, client = self._socket.recvfrom(1500)
                if not question:
                    return
                self.questions += 1
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = int.from_bytes(question[at + 1:at + 3], "big")
        wanted = [address for address in self.names.get(".".join(labels), ()) if (":" in address) == (kind == 28)]
        records = b"".join(b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 1, len(frames.ip(address))) + frames.ip(address) for address in wanted)
        code = 0 if ".".join(labels) in self.names else 3
        return question[:2] + struct.pack("!5H", 0x8180 | code, 1, len(wanted), 0, 0) + question[12:at + 5] + records

    def close(self):
        # A thread that waits in recvfrom() is woken by a shutdown alone.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
