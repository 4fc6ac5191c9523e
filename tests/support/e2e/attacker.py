"""A container that sends what it likes, and ears that hear what arrives.

Nothing here waits for an attack that does not come: after it the attacker sends a last frame that is allowed, by the same way, and
when that has been heard, the attack would have been. All frames of a thread that is on_one_cpu() stay in their order: each hop
queues on the processor that sent.
"""

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from support.e2e import frames
from support.e2e.namespaces import NetNs

_ALL_PROTOCOLS = 3  # ETH_P_ALL of <linux/if_ether.h>
_OUTGOING = 4  # PACKET_OUTGOING of <linux/if_packet.h>
_RCVBUFFORCE = 33  # <asm-generic/socket.h>; the socket module does not name it
_BUFFER = 16 * 1024 * 1024
_numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))


def new_mark():
    """Bytes that no other frame holds."""
    return b"\xfa\x1e" + struct.pack("!I", next(_numbers))


@contextlib.contextmanager
def on_one_cpu():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Ear:
    """All that an interface receives, from the moment this is made; "" are all interfaces that there are, and those to come.

    Frames that its own namespace sends are left out.
    """

    def __init__(self, net: NetNs, ifname):
        self._where = f"{ifname} of {net!r}"
        self._socket = net.socket(socket.AF_PACKET, socket.SOCK_RAW, 0 if ifname else socket.htons(_ALL_PROTOCOLS))
        self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
        if ifname:
            self._socket.bind((ifname, _ALL_PROTOCOLS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def until(self, last, timeout=3.0):
        """What came before the frame that holds the mark `last`; AssertionError when that does not come."""
        heard = []
        end = time.monotonic() + timeout
        while True:
            frame = self._next(end)
            if frame is None:
                raise AssertionError(f"the frame that is allowed did not arrive at {self._where}; {len(heard)} others did")
            if last in frame:
                return heard
            heard.append(frame)

    def all_so_far(self):
        """What has come until now."""
        heard = []
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, address = self._socket.recvfrom(65536)
                if address[2] != _OUTGOING:
                    heard.append(frame)
        return heard

    def _next(self, end):
        while (remaining := end - time.monotonic()) > 0:
            self._socket.settimeout(remaining)
            try:
                frame, address = self._socket.recvfrom(65536)
            except socket.timeout:
                return None
            if address[2] != _OUTGOING:
                return frame
        return None


def stamped(mark):
    """The mark with the time in it; read_stamps() finds it again."""
    return mark + time.monotonic_ns().to_bytes(8, "big")


def read_stamps(heard, mark):
    """When the frames with this mark were sent."""
    found = ((frame, frame.find(mark) + len(mark)) for frame in heard if mark in frame)
    return [int.from_bytes(frame[at:at + 8], "big") for frame, at in found]


def marks_in(heard, marks):
    """Those of the marks that one of the frames holds."""
    return {mark for mark in marks if any(mark in frame for frame in heard)}


@dataclass
class Guest:
    """An interface of a container, with the addresses that are its own; "" for a family that it has not."""

    name: str
    net: NetNs
    ifname: str
    mac: str
    v4: str = ""
    v6: str = ""
    _socket: socket.socket = field(default=None, repr=False)

    @property
    def link_local(self):
        return frames.link_local(self.mac)

    def ear(self):
        return Ear(self.net, self.ifname)

    def send(self, *sent):
        """OSError while there is no such interface, or while it is down."""
        if self._socket is None:
            sender = self.net.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            try:
                sender.bind((self.ifname, 0))
            except OSError:
                sender.close()
                raise
            self._socket = sender
        for frame in sent:
            self._socket.send(frame)

    def forget(self):
        """The interface may be another one of the same name by now."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def datagram(self, target_mac, target, mark, source=None, ports=(4444, 4444)):
        """UDP to `target` by way of `target_mac`, from the own address unless another is named."""
        source = source or (self.v6 if ":" in target else self.v4) or self.link_local
        return frames.ethernet(target_mac, self.mac, frames.ethertype(target), frames.packet(
            source, target, frames.UDP, frames.udp(source, target, *ports, mark)))

    def greeting(self, mark):
        """What everybody on the link hears, and nobody may take away."""
        return self.datagram(frames.BROADCAST, "255.255.255.255" if self.v4 else frames.ALL_NODES, mark)

    def close(self):
        self.forget()
        self.net.close()


class Flood:
    """Calls make() for frames and sends them, over and over in a thread, until it is left; the interface may come and go."""

    def __init__(self, guest, make):
        self._guest, self._make = guest, make
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self.began = None  # when the first round was sent, by time.monotonic_ns()

    def _run(self):
        while not self._stop.is_set():
            try:
                self._guest.send(*self._make())
                self.began = self.began or time.monotonic_ns()
                self.rounds += 1
            except OSError:
                self._guest.forget()
                time.sleep(0)  # lets the other threads run

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
