"""Questions to a name server, from inside a network namespace."""

import socket
import sys

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's dnspython, whatever Python runs the tests

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename


def ask(net, server, name, kind="A", tcp=False, timeout=3.0, port=53, **options):
    """The answer, a dns.message.Message. dns.exception.Timeout without one; OSError where nobody listens."""
    question = dns.message.make_query(name, kind, **options)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with net.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as connection:
        connection.settimeout(timeout)
        # Connected, so that a port that nobody has is refused at once.
        connection.connect((server, port))
        if tcp:
            connection.setblocking(False)
            return dns.query.tcp(question, server, timeout=timeout, port=port, sock=connection)
        connection.send(question.to_wire())
        return dns.message.from_wire(connection.recv(65535))


class Client:
    """One that asks from the same port each time, by UDP. As a context manager it is closed."""

    def __init__(self, net, server):
        self.server = server
        self._socket = net.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((server, 53))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def addresses(self, name, kind="A", timeout=3.0):
        """As addresses(). OSError where nobody listens, or nobody answers in time."""
        question = dns.message.make_query(name, kind)
        self._socket.settimeout(timeout)
        self._socket.send(question.to_wire())
        while True:
            answer = dns.message.from_wire(self._socket.recv(65535))
            if answer.id == question.id:
                return data(answer)


def data(answer):
    """The data of the answer's records, sorted as texts; the name of the code where it is not NOERROR."""
    if answer.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(answer.rcode())
    return sorted(record.to_text() for records in answer.answer for record in records)


def addresses(net, server, name, kind="A", **options):
    return data(ask(net, server, name, kind, **options))


def pointer(net, server, address):
    """What the address is called."""
    return data(ask(net, server, dns.reversename.from_address(address), "PTR"))
