"""Probes from inside a network namespace, with sockets of this process: no program is started for a packet.

A socket stays in the namespace it was made in, so a probe enters the namespace only to make its socket.
"""

import contextlib
import ctypes
import os
import socket
import struct
import time
from dataclasses import dataclass

from support.e2e import frames

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "setns: " + os.strerror(number))


@dataclass(frozen=True)
class Answer:
    """One line of the answer server: who answered, and whom it saw."""

    name: str
    peer: str
    peer_port: int
    own: str
    own_port: int

    @staticmethod
    def parse(line):
        name, peer, peer_port, own, own_port = line.split()
        return Answer(name, peer, int(peer_port), own, int(own_port))


class NetNs:
    """A network namespace, held by an open descriptor (so it outlives the process or the path it came from)."""

    def __init__(self, path, label=None):
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.label = label or path

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f"<namespace {self.label}>"

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the namespace meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self.fd)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)

    def socket(self, family, kind, proto=0):
        with self.entered():
            return socket.socket(family, kind, proto)

    # ---- probes ---------------------------------------------------------------------------------------------------

    def ask(self, address, port, proto="tcp", timeout=3.0, source=None):
        """The Answer of the server at (address, port); OSError when there is none."""
        with self._connect_to_server(address, port, proto, timeout, source) as connection:
            if proto == "udp":
                connection.send(b"?")
            return Answer.parse(_read_line(connection))

    def _connect_to_server(self, address, port, proto, timeout, source):
        """A container that runs has started its server, which may not listen yet."""
        end = time.monotonic() + timeout
        while True:
            try:
                return self.connect(address, port, proto, timeout, source)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def connect(self, address, port, proto="tcp", timeout=3.0, source=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM
        connection = self.socket(family, kind)
        try:
            connection.settimeout(timeout)
            if source is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                connection.bind(source)
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise
        return connection

    def answers(self, address, port, proto="tcp", timeout=1.0):
        """Is there an answer at all?"""
        try:
            self.ask(address, port, proto, timeout)
            return True
        except (OSError, ValueError):
            return False

    def listen(self, address, port, proto="tcp"):
        """A socket that is bound (and listens), as a program of the host would have it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = self.socket(family, socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        if proto == "tcp":
            listener.listen(16)
        return listener

    def ping(self, address, timeout=1.0):
        """One echo request; the seconds until its reply, or None. Nothing is sent a second time."""
        with Pinger(self, ":" in address) as pinger:
            return pinger.ping(address, timeout)


def advertise_router(namespace, ifname, prefix):
    """Sends one router advertisement (RFC 4861) to all nodes on the link: a /64 and a default route through the sender."""
    with namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as packet:
        packet.bind((ifname, 0))
        mac = packet.getsockname()[4].hex(":")
        source = frames.link_local(mac)
        message = frames.router_advertisement(source, frames.ALL_NODES, prefix)
        packet.send(frames.ethernet(frames.ALL_NODES_MAC, mac, frames.IPV6, frames.ipv6(
            source, frames.ALL_NODES, frames.ICMPV6, message, hops=255)))


class Pinger:
    """A raw ICMP socket, made beforehand, so that a ping costs one sendto and one recvfrom."""

    def __init__(self, namespace, ipv6=False, payload=b"fairlead"):
        self._ipv6, self._payload = ipv6, payload
        self._socket = namespace.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_RAW,
                                        socket.IPPROTO_ICMPV6 if ipv6 else socket.IPPROTO_ICMP)
        self._identity = id(self) & 0xFFFF
        self._sequence = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def ping(self, address, timeout=1.0):
        self._sequence += 1
        start = time.monotonic()
        self._socket.sendto(self._request(), (address, 0))
        while True:
            remaining = start + timeout - time.monotonic()
            if remaining <= 0:
                return None
            self._socket.settimeout(remaining)
            try:
                packet, _ = self._socket.recvfrom(2048)
            except socket.timeout:
                return None
            if self._is_reply(packet):
                return time.monotonic() - start

    def _request(self):
        kind = 128 if self._ipv6 else 8
        body = struct.pack("!HH", self._identity, self._sequence) + self._payload
        checksum = 0 if self._ipv6 else frames.checksum(struct.pack("!BBH", kind, 0, 0) + body)
        return struct.pack("!BBH", kind, 0, checksum) + body

    def _is_reply(self, packet):
        if not self._ipv6:
            packet = packet[(packet[0] & 15) * 4:]
        if len(packet) < 8:
            return False
        kind, _, _, identity, sequence = struct.unpack("!BBHHH", packet[:8])
        return (kind, identity, sequence) == (129 if self._ipv6 else 0, self._identity, self._sequence)


def _read_line(connection):
    data = b""
    while not data.endswith(b"\n"):
        part = connection.recv(4096)
        if not part:
            raise ConnectionError(f"closed after {data!r}")
        data += part
    return data.decode()
