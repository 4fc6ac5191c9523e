"""Frames as an attacker writes them: bytes from values, with nothing checked and nothing left out.

Addresses are text, as elsewhere. What is below an Ethernet header is a `payload`. Frames that say nothing by themselves carry a
`mark`, by which a listener knows them again: as the payload of UDP and TCP, as an unknown option of neighbour discovery (RFC 4861
section 4.6 lets receivers pass over it), as the padding of ARP.
"""

import collections
import socket
import struct

BROADCAST, ALL_NODES_MAC, NEAREST_BRIDGE = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01", "01:80:c2:00:00:0e"
ALL_NODES, MLD_ROUTERS = "ff02::1", "ff02::16"
IPV4, ARP, RARP, VLAN, IPV6, PROVIDER_VLAN = 0x0800, 0x0806, 0x8035, 0x8100, 0x86DD, 0x88A8
HOP_BY_HOP, ICMP, IGMP, TCP, UDP, FRAGMENT, ICMPV6, DESTINATION_OPTIONS = 0, 1, 2, 6, 17, 44, 58, 60
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


# ---- addresses ------------------------------------------------------------------------------------------------------

def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def link_local(mac_text):
    """The EUI-64 address that the kernel makes of a MAC address (RFC 4291, appendix A)."""
    of = mac(mac_text)
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + bytes([of[0] ^ 2]) + of[1:3] + b"\xff\xfe" + of[3:])


def multicast_mac(address):
    """The MAC address of an IPv6 multicast group."""
    return "33:33:" + ip(address)[12:].hex(":")


def checksum(data):
    """Of the internet protocols (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _transport_checksum(source, target, protocol, segment):
    lengths = struct.pack("!2I", len(segment), protocol)  # IPv4's pseudo header has the same sum
    return checksum(ip(source) + ip(target) + lengths + segment)


# ---- Ethernet -------------------------------------------------------------------------------------------------------

def ethernet(target, source, kind, payload, tags=()):
    """`tags` are (ethertype, VLAN id) from the outside in."""
    written = b"".join(struct.pack("!2H", *tag) for tag in tags)
    return (mac(target) + mac(source) + written + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def llc(target, source, payload):
    """A frame of IEEE 802.3, with a length where others have their ethertype."""
    return ethernet(target, source, len(payload), payload)


def arp(operation, sender_mac, sender, target_mac, target, mark=b"", hardware=1):
    """1 asks, 2 answers; RARP has the same shape with 3 and 4."""
    return (struct.pack("!2H2BH", hardware, IPV4, 6, 4, operation) + mac(sender_mac) + ip(sender) + mac(target_mac)
            + ip(target) + mark)


# ---- IP -------------------------------------------------------------------------------------------------------------

def ipv4(source, target, protocol, payload, fragment=0, more=False, identity=1, options=b"", ttl=64):
    """`fragment` is the offset in bytes."""
    size = 20 + len(options)
    header = struct.pack("!2B3H2B", 0x40 | size // 4, 0, size + len(payload), identity, fragment // 8 | (0x2000 if more else 0),
                         ttl, protocol)
    addresses = ip(source) + ip(target) + options
    return header + struct.pack("!H", checksum(header + b"\0\0" + addresses)) + addresses + payload


def ipv6(source, target, protocol, payload, hops=64):
    return struct.pack("!IH2B", 6 << 28, len(payload), protocol, hops) + ip(source) + ip(target) + payload


def extension(following, payload):
    """A hop-by-hop or destination options header that holds only padding."""
    return struct.pack("!2B", following, 0) + b"\x01\x04" + bytes(4) + payload


def fragment_header(following, payload, offset=0, more=False, identity=1):
    return struct.pack("!2BHI", following, 0, offset | (1 if more else 0), identity) + payload


def packet(source, target, protocol, payload, **more):
    return (ipv6 if ":" in source else ipv4)(source, target, protocol, payload, **more)


def ethertype(address):
    return IPV6 if ":" in address else IPV4


# ---- above IP -------------------------------------------------------------------------------------------------------

def udp(source, target, source_port, target_port, payload):
    segment = struct.pack("!4H", source_port, target_port, 8 + len(payload), 0) + payload
    return segment[:6] + struct.pack("!H", _transport_checksum(source, target, UDP, segment) or 0xFFFF) + segment[8:]


def tcp(source, target, source_port, target_port, sequence, acknowledged, flags, payload=b""):
    segment = struct.pack("!2H2I2B3H", source_port, target_port, sequence % 2**32, acknowledged % 2**32, 0x50, flags, 65535, 0, 0)
    segment += payload
    return segment[:16] + struct.pack("!H", _transport_checksum(source, target, TCP, segment)) + segment[18:]


def vxlan(vni, frame):
    """The payload of a tunnel's datagram (RFC 7348, section 5)."""
    return struct.pack("!II", 0x08000000, vni << 8) + frame


def send_ipv4(namespace, whole):
    """As a process with CAP_NET_RAW does it, under whatever source address the packet has."""
    with namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(whole, (socket.inet_ntoa(whole[16:20]), 0))


Segment = collections.namedtuple("Segment", "ports sequence acknowledged flags size")


def read_tcp(frame):
    """The Segment in a frame as it was received, or None; packets without options or extension headers."""
    kind = int.from_bytes(frame[12:14], "big")
    protocol, start, end = {IPV4: (frame[23], 34, 14 + int.from_bytes(frame[16:18], "big")),
                            IPV6: (frame[20], 54, 54 + int.from_bytes(frame[18:20], "big"))}.get(kind, (None, 0, 0))
    if protocol != TCP:
        return None
    source, target, sequence, acknowledged, size, flags = struct.unpack("!2H2I2B", frame[start:start + 14])
    return Segment((source, target), sequence, acknowledged, flags, end - start - (size >> 4) * 4)


def icmp(kind, code, rest, payload):
    message = struct.pack("!2BHI", kind, code, 0, rest) + payload
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmpv6(source, target, kind, body, code=0):
    message = struct.pack("!2BH", kind, code, 0) + body
    return message[:2] + struct.pack("!H", _transport_checksum(source, target, ICMPV6, message)) + message[4:]


# ---- neighbour discovery (RFC 4861) ---------------------------------------------------------------------------------

_SOURCE_LINK_LAYER, _TARGET_LINK_LAYER, _PREFIX, _UNKNOWN = 1, 2, 3, 253


def _option(kind, data):
    return bytes([kind, (2 + len(data)) // 8]) + data


def _mark_option(mark):
    return _option(_UNKNOWN, mark) if mark else b""


def solicitation(source, target, wanted, sender_mac=None, mark=b""):
    """Who has `wanted`? From `::` it asks whether the address is free."""
    link_layer = _option(_SOURCE_LINK_LAYER, mac(sender_mac)) if sender_mac else b""
    return icmpv6(source, target, NEIGHBOUR_SOLICITATION, bytes(4) + ip(wanted) + link_layer + _mark_option(mark))


def advertisement(source, target, whose, owner_mac, mark=b"", solicited=False):
    """`whose` is at `owner_mac`, in place of what was known before (override)."""
    flags = (0x60 if solicited else 0x20) << 24
    return icmpv6(source, target, NEIGHBOUR_ADVERTISEMENT,
                  struct.pack("!I", flags) + ip(whose) + _option(_TARGET_LINK_LAYER, mac(owner_mac)) + _mark_option(mark))


def router_solicitation(source, target, mark=b""):
    return icmpv6(source, target, 133, bytes(4) + _mark_option(mark))


def router_advertisement(source, target, prefix, mark=b""):
    """A default route through the sender, and a /64 to make an address of."""
    prefix_option = _option(_PREFIX, struct.pack("!2B3I", 64, 0xC0, 86400, 14400, 0) + ip(prefix))
    return icmpv6(source, target, 134, struct.pack("!2BH2I", 64, 0, 1800, 0, 0) + prefix_option + _mark_option(mark))


def redirect(source, target, destination, better, mark=b""):
    return icmpv6(source, target, 137, bytes(4) + ip(better) + ip(destination) + _mark_option(mark))


def mld_report(source, group):
    """Version 2 (RFC 3810): the sender listens to the group."""
    record = struct.pack("!2BH", 4, 0, 0) + ip(group)
    report = icmpv6(source, MLD_ROUTERS, 143, struct.pack("!2H", 0, 1) + record)
    router_alert = struct.pack("!2B", ICMPV6, 0) + b"\x05\x02\0\0\x01\0"
    return ipv6(source, MLD_ROUTERS, HOP_BY_HOP, router_alert + report, hops=1)


# ---- DHCP -----------------------------------------------------------------------------------------------------------

def dhcp_offer(server, offered, client_mac, mark=b""):
    """RFC 2131: "take this address, I am your router"; without its UDP header."""
    fixed = struct.pack("!4B I 2H 4s4s4s4s", 2, 1, 6, 0, 1, 0, 0x8000, bytes(4), ip(offered), ip(server), bytes(4))
    options = b"\x63\x82\x53\x63" + b"\x35\x01\x02" + b"\x36\x04" + ip(server) + b"\x03\x04" + ip(server) + b"\xff"
    return fixed + mac(client_mac) + bytes(10 + 64 + 128) + options + mark


def dhcpv6_advertise(client_mac, mark=b""):
    """RFC 8415: an ADVERTISE with the identifiers of both."""
    def identifier(code, who):
        return struct.pack("!4H", code, 10, 3, 1) + mac(who)
    return b"\x02\0\0\x01" + identifier(1, client_mac) + identifier(2, "02:00:00:00:00:01") + mark
