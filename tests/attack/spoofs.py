"""What a container may not send: every frame that says that it is somebody else, or that it is what only the host is."""

from dataclasses import dataclass

from support.e2e import frames
from support.e2e.attacker import Ear, Guest, marks_in, new_mark, on_one_cpu
from support.e2e.frames import (ALL_NODES, BROADCAST, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMP, ICMPV6, IPV4, IPV6, PROVIDER_VLAN,
                                UDP, VLAN, ethernet)

NOBODY_MAC = "02:de:ad:00:be:ef"
OTHER_ETHERTYPES = {"LLDP": 0x88CC, "MPLS": 0x8847, "PPPoE": 0x8864, "EAPOL": 0x888E, "loopback test": 0x9000, "IPX": 0x8137,
                    "local experiment": 0x88B5, "MACsec": 0x88E5, "old VLAN": 0x9100}


@dataclass
class Link:
    """Two containers on a network, one of which attacks, and who else there is."""

    kind: str
    me: Guest
    neighbour: Guest
    host: object
    bridge: str
    gateway_mac: str
    gateway: str  # of the first family that the network has
    icc: bool = True
    stranger: Guest = None  # a neighbour that is no container of this host
    tunnel: bool = False  # the stranger is behind one, which answers ARP and NS itself and carries no broadcasts

    def foreign(self):
        """{who: address} of all that is not the attacker's, in both families."""
        found = {"the outside": "198.51.100.7", "another network": "10.99.99.99", "loopback": "127.0.0.1", "a group": "224.0.0.251",
                 "everybody": "255.255.255.255", "the link": "169.254.7.7",
                 "the outside, IPv6": "2001:db8:99::7", "another network, IPv6": "fd99::99", "loopback, IPv6": "::1",
                 "a group, IPv6": "ff02::fb", "another MAC's link-local": frames.link_local(NOBODY_MAC),
                 "the neighbour's link-local": self.neighbour.link_local, "the gateway's link-local": frames.link_local(self.gateway_mac),
                 "IPv4 in IPv6": "::ffff:198.51.100.7"}
        for guest, who in ((self.neighbour, "the neighbour"),):
            found.update({f"{who}, {family}": address for family, address in (("IPv4", guest.v4), ("IPv6", guest.v6)) if address})
        found["the gateway"] = self.gateway
        if self.me.v4:
            found["nobody of the subnet"] = self.me.v4.rsplit(".", 1)[0] + ".253"
        if self.me.v6:
            found["nobody of the subnet, IPv6"] = self.me.v6.rsplit(":", 1)[0] + ":fffe"
        return found

    def last_words(self):
        """(MAC, address) of each place, for a frame that is allowed."""
        mine = 4 if self.me.v4 else 6
        guests = [guest for guest in (self.neighbour if self.icc else None, self.stranger) if guest]
        return [(self.gateway_mac, self.gateway)] + [(guest.mac, guest.v4 if mine == 4 else guest.v6) for guest in guests]

    def places(self):
        """Where the attacks are listened for."""
        found = {"the host": (self.gateway_mac, lambda: Ear(self.host.net, self.bridge))}
        if self.icc:
            found["the neighbour"] = (self.neighbour.mac, self.neighbour.ear)
        if self.stranger:
            found["another machine"] = (self.stranger.mac, self.stranger.ear)
        return found


# ---- the frames: (name, frame) of a mark ------------------------------------------------------------------------------

def _pairs(link):
    """A target address of each family for packets whose source matters."""
    return {False: link.neighbour.v4 or "192.0.2.9", True: link.neighbour.v6 or link.neighbour.link_local}


def macs(link, to):
    """The own addresses, under another's MAC."""
    me = link.me
    source = me.v4 or me.v6
    target = _pairs(link)[":" in source]
    for who, mac in (("the neighbour", link.neighbour.mac), ("the gateway", link.gateway_mac), ("nobody", NOBODY_MAC)):
        yield f"MAC of {who}", lambda mark, mac=mac: ethernet(to, mac, frames.ethertype(source), frames.packet(
            source, target, UDP, frames.udp(source, target, 4444, 4444, mark)))


def sources(link, to):
    targets = _pairs(link)
    for who, source in link.foreign().items():
        target = targets[":" in source]
        yield f"address of {who}", lambda mark, source=source, target=target: link.me.datagram(to, target, mark, source)
    for who, source in (("the neighbour", link.neighbour.v4), ("the outside", "198.51.100.7")):
        if source and link.me.v4:
            target = link.neighbour.v4
            segment = lambda mark, source=source: frames.udp(source, target, 4444, 4444, mark)
            yield f"address of {who} in a fragment", lambda mark, source=source, segment=segment: ethernet(
                to, link.me.mac, IPV4, frames.ipv4(source, target, UDP, segment(mark).ljust(24, b"."), more=True))
            yield f"address of {who} in a later fragment", lambda mark, source=source: ethernet(
                to, link.me.mac, IPV4, frames.ipv4(source, target, UDP, mark, fragment=64))
            yield f"address of {who} with IP options", lambda mark, source=source, segment=segment: ethernet(
                to, link.me.mac, IPV4, frames.ipv4(source, target, UDP, segment(mark), options=b"\x01" * 4))
            yield f"address of {who}, ICMP redirect", lambda mark, source=source: ethernet(
                to, link.me.mac, IPV4, frames.ipv4(source, target, ICMP, frames.icmp(5, 1, 0, b"\x45" + bytes(27) + mark)))
    source, target = link.neighbour.link_local, link.neighbour.v6 or link.neighbour.link_local
    for name, extension in (("hop-by-hop", HOP_BY_HOP), ("destination options", DESTINATION_OPTIONS)):
        yield f"the neighbour's link-local behind {name}", lambda mark, extension=extension: ethernet(
            to, link.me.mac, IPV6, frames.ipv6(source, target, extension, frames.extension(
                UDP, frames.udp(source, target, 4444, 4444, mark))))


def arps(link, to):
    me = link.me
    claimed = {who: address for who, address in link.foreign().items() if ":" not in address and "224." not in address}
    for who, address in claimed.items():
        for name, operation in (("request", 1), ("answer", 2)):
            yield f"ARP {name}, address of {who}", lambda mark, address=address, operation=operation: ethernet(
                to, me.mac, frames.ARP, frames.arp(operation, me.mac, address, link.neighbour.mac, link.neighbour.v4 or "192.0.2.9", mark))
    address = link.neighbour.v4 or "192.0.2.9"
    yield "ARP, gratuitous for the neighbour", lambda mark: ethernet(
        to, me.mac, frames.ARP, frames.arp(1, me.mac, address, "00:00:00:00:00:00", address, mark))
    yield "ARP of IEEE 802 hardware", lambda mark: ethernet(
        to, me.mac, frames.ARP, frames.arp(2, me.mac, address, link.neighbour.mac, address, mark, hardware=6))
    if me.v4:
        yield "ARP, own address at another MAC", lambda mark: ethernet(
            to, me.mac, frames.ARP, frames.arp(2, NOBODY_MAC, me.v4, link.neighbour.mac, address, mark))
    yield "ARP probe from another MAC", lambda mark: ethernet(
        to, me.mac, frames.ARP, frames.arp(1, link.neighbour.mac, "0.0.0.0", "00:00:00:00:00:00", address, mark))
    yield "ARP probe for the neighbour's address", lambda mark: ethernet(  # which tells a careful neighbour to give it up
        to, me.mac, frames.ARP, frames.arp(1, me.mac, "0.0.0.0", "00:00:00:00:00:00", address, mark))
    for name, operation in (("request", 3), ("answer", 4)):
        yield f"RARP {name}", lambda mark, operation=operation: ethernet(
            to, me.mac, frames.RARP, frames.arp(operation, me.mac, me.v4 or "0.0.0.0", link.neighbour.mac, address, mark))


def neighbour_discovery(link, to):
    me, own = link.me, link.me.link_local

    def of(source, message):
        return ethernet(to, me.mac, IPV6, frames.ipv6(source, ALL_NODES, ICMPV6, message, hops=255))

    victims = {"the neighbour": link.neighbour.v6, "the neighbour's link-local": link.neighbour.link_local,
               "the gateway": link.gateway if ":" in link.gateway else "", "the gateway's link-local": frames.link_local(link.gateway_mac)}
    for who, address in victims.items():
        if not address:
            continue
        yield f"NA for {who}", lambda mark, address=address: of(own, frames.advertisement(own, ALL_NODES, address, me.mac, mark))
        yield f"NA for {who} from its address", lambda mark, address=address: of(
            address, frames.advertisement(address, ALL_NODES, address, me.mac, mark))
        yield f"NS from the address of {who}", lambda mark, address=address: of(
            address, frames.solicitation(address, ALL_NODES, own, me.mac, mark))
        yield f"DAD for the address of {who}", lambda mark, address=address: of(
            "::", frames.solicitation("::", ALL_NODES, address, None, mark))
    victim = link.neighbour.link_local
    for name, extension in (("hop-by-hop", HOP_BY_HOP), ("destination options", DESTINATION_OPTIONS)):
        yield f"NA behind {name}", lambda mark, extension=extension: ethernet(to, me.mac, IPV6, frames.ipv6(
            own, ALL_NODES, extension, frames.extension(ICMPV6, frames.advertisement(own, ALL_NODES, victim, me.mac, mark)), hops=255))
    yield "NA as the only fragment", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(
        own, ALL_NODES, FRAGMENT, frames.fragment_header(ICMPV6, frames.advertisement(own, ALL_NODES, victim, me.mac, mark)), hops=255))


def routers(link, to):
    """What only a router says: from the own link-local address."""
    me, own = link.me, link.me.link_local

    def of(message, source=own):
        return ethernet(to, me.mac, IPV6, frames.ipv6(source, ALL_NODES, ICMPV6, message, hops=255))

    def advertisement(mark):
        return frames.router_advertisement(own, ALL_NODES, "2001:db8:bad::", mark)

    gateway = frames.link_local(link.gateway_mac)
    yield "RA", lambda mark: of(advertisement(mark))
    yield "RA from the gateway's address", lambda mark: of(
        frames.router_advertisement(gateway, ALL_NODES, "2001:db8:bad::", mark), gateway)
    yield "RA of all zeros", lambda mark: of(frames.router_advertisement("::", ALL_NODES, "2001:db8:bad::", mark), "::")
    yield "redirect", lambda mark: of(frames.redirect(own, ALL_NODES, "2001:db8:99::7", own, mark))
    yield "redirect from the gateway's address", lambda mark: of(
        frames.redirect(gateway, ALL_NODES, "2001:db8:99::7", own, mark), gateway)
    for name, extension in (("hop-by-hop", HOP_BY_HOP), ("destination options", DESTINATION_OPTIONS)):
        yield f"RA behind {name}", lambda mark, extension=extension: ethernet(to, me.mac, IPV6, frames.ipv6(
            own, ALL_NODES, extension, frames.extension(ICMPV6, advertisement(mark)), hops=255))
        yield f"RA behind two headers, the first {name}", lambda mark, extension=extension: ethernet(to, me.mac, IPV6, frames.ipv6(
            own, ALL_NODES, extension, frames.extension(DESTINATION_OPTIONS, frames.extension(ICMPV6, advertisement(mark))), hops=255))
    yield "RA as the only fragment", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(
        own, ALL_NODES, FRAGMENT, frames.fragment_header(ICMPV6, advertisement(mark)), hops=255))
    yield "RA in a first fragment", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(
        own, ALL_NODES, FRAGMENT, frames.fragment_header(ICMPV6, advertisement(mark), more=True), hops=255))
    yield "RA behind options in a fragment", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(
        own, ALL_NODES, FRAGMENT, frames.fragment_header(
            DESTINATION_OPTIONS, frames.extension(ICMPV6, advertisement(mark))), hops=255))


def dhcp_servers(link, to):
    me = link.me
    source = me.v4 or "192.0.2.8"
    offer = lambda mark, target: frames.udp(source, target, 67, 68, frames.dhcp_offer(source, link.neighbour.v4 or "192.0.2.9",
                                                                                      link.neighbour.mac, mark))
    for target in ("255.255.255.255", link.neighbour.v4 or "192.0.2.9"):
        yield f"DHCP offer to {target}", lambda mark, target=target: ethernet(
            to, me.mac, IPV4, frames.ipv4(source, target, UDP, offer(mark, target)))
    yield "DHCP offer with IP options", lambda mark: ethernet(
        to, me.mac, IPV4, frames.ipv4(source, "255.255.255.255", UDP, offer(mark, "255.255.255.255"), options=b"\x01" * 8))
    yield "DHCP offer in a first fragment", lambda mark: ethernet(
        to, me.mac, IPV4, frames.ipv4(source, "255.255.255.255", UDP, frames.udp(source, "255.255.255.255", 67, 68, mark + bytes(34)),
                                      more=True))
    own = me.link_local
    advertise = lambda mark: frames.udp(own, link.neighbour.link_local, 547, 546, frames.dhcpv6_advertise(link.neighbour.mac, mark))
    yield "DHCPv6 advertise", lambda mark: ethernet(
        to, me.mac, IPV6, frames.ipv6(own, link.neighbour.link_local, UDP, advertise(mark)))
    if me.v6 and link.neighbour.v6:
        yield "DHCPv6 advertise between global addresses", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(
            me.v6, link.neighbour.v6, UDP, frames.udp(me.v6, link.neighbour.v6, 547, 546, frames.dhcpv6_advertise(link.neighbour.mac, mark))))
    yield "DHCPv6 advertise behind destination options", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(
        own, link.neighbour.link_local, DESTINATION_OPTIONS, frames.extension(UDP, advertise(mark))))


def tagged(link, to):
    """The own address, and the neighbour's, behind tags."""
    me = link.me
    own = me.v4 or me.v6
    for name, tags in (("VLAN 5", [(VLAN, 5)]), ("VLAN 0", [(VLAN, 0)]), ("provider VLAN 5", [(PROVIDER_VLAN, 5)]),
                       ("provider VLAN 0", [(PROVIDER_VLAN, 0)]), ("VLAN 0 in 0", [(VLAN, 0), (VLAN, 0)]),
                       ("VLAN 0 in provider VLAN 0", [(PROVIDER_VLAN, 0), (VLAN, 0)])):
        for who, source in (("own", own), ("neighbour's", link.neighbour.v4 or link.neighbour.v6)):
            target = _pairs(link)[":" in source]
            yield f"{name}, {who} address", lambda mark, tags=tags, source=source, target=target: ethernet(
                to, me.mac, frames.ethertype(source), frames.packet(
                    source, target, UDP, frames.udp(source, target, 4444, 4444, mark)), tags)


def hidden(link, to):
    """Lies about neighbours behind a priority tag, which most kernels take off."""
    me, own = link.me, link.me.link_local
    address = link.neighbour.v4 or "192.0.2.9"
    yield "VLAN 0, ARP", lambda mark: ethernet(
        to, me.mac, frames.ARP, frames.arp(2, me.mac, address, link.neighbour.mac, address, mark), [(VLAN, 0)])
    yield "VLAN 0, NA", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(own, ALL_NODES, ICMPV6, frames.advertisement(
        own, ALL_NODES, link.neighbour.link_local, me.mac, mark), hops=255), [(VLAN, 0)])
    yield "VLAN 0, RA", lambda mark: ethernet(to, me.mac, IPV6, frames.ipv6(own, ALL_NODES, ICMPV6, frames.router_advertisement(
        own, ALL_NODES, "2001:db8:bad::", mark), hops=255), [(VLAN, 0)])


def others(link, to):
    for name, kind in OTHER_ETHERTYPES.items():
        yield name, lambda mark, kind=kind: ethernet(to, link.me.mac, kind, mark)
    yield "IEEE 802.3", lambda mark: frames.llc(to, link.me.mac, b"\x42\x42\x03" + mark)


KINDS = (macs, sources, arps, neighbour_discovery, routers, dhcp_servers, tagged, hidden, others)


# ---- sending them -----------------------------------------------------------------------------------------------------

def _expected(link, name, target, places):
    """Who hears it when nothing is in the way. A bridge sends no frame back to where it has seen its source."""
    if target == "everybody":
        return set(places) - ({"another machine"} if link.tunnel else set())
    if link.tunnel and target == "another machine" and name.startswith(("ARP", "NS", "DAD")):
        return set()
    return set() if (name, target) == ("MAC of the neighbour", "the neighbour") else {target}


def send_all(link, kinds=KINDS):
    """Sends all to everybody and to each; what was heard, and what is heard of them when nothing is in the way.

    Both are sets of "what, sent to whom, heard by whom".
    """
    places = link.places()
    names, sendings, last = {}, [], new_mark()
    expected = set()
    for target, mac in [("everybody", BROADCAST)] + [(place, mac) for place, (mac, _) in places.items()]:
        for name, make in (spoof for kind in kinds for spoof in kind(link, mac)):
            mark = new_mark()
            names[mark] = f"{name}, sent to {target}"
            sendings.append(make(mark))
            expected |= {f"{names[mark]}, heard by {place}" for place in _expected(link, name, target, places)}
    ears = {place: make() for place, (_, make) in places.items()}
    try:
        with on_one_cpu():
            for frame in sendings:
                link.me.send(frame)
                if frame[6:12] == frames.mac(link.neighbour.mac):  # the bridge believes it: put that right
                    link.neighbour.send(link.neighbour.greeting(new_mark()))
            link.me.send(*(link.me.datagram(mac, target, last) for mac, target in link.last_words()))
        heard = set()
        for place, ear in ears.items():
            found = marks_in(ear.until(last), names)
            heard |= {f"{names[mark]}, heard by {place}" for mark in found}
        return heard, expected
    finally:
        for ear in ears.values():
            ear.__exit__()
