"""What there is on a host - links, addresses, rules, mounts, records, files - so that a test can say: as before."""

import contextlib
import difflib
import json
import os
import re
import shutil
import sqlite3
import tempfile

from support.e2e.host import API_SOCKET, bin_folder, have_fairlead, is_answering

_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")
_ELEMENTS = re.compile(r"elements = \{([^}]*)\}")
_QUESTIONS = re.compile(r"(map (?:own_)?questions_v[46] \{[^}]*?)(\n\t\t)elements = \{(.*?) \}", re.DOTALL)
_HANDLES = re.compile(r" # handle \d+")
_LINK_KEYS = ("ifname", "link_type", "operstate", "address", "master", "mtu", "linkinfo")
_FOLDERS = ("/run/fairlead", "/run/netns", "/var/lib/fairlead", "/var/lib/cni")
_VOLATILE = re.compile(r"state\.db(-wal|-shm|-reserve)?$|\.log$|/run/fairlead$|/run/fairlead/other-firewalls$|/locks?(/|$)|\.lock$|\.sock$|\.pid$"
                       r"|/fairlead/volumes(/tmp|/trash|/vol)?$"  # the empty house of volumes stays
                       r"|/fairlead/cluster/peers-hosts$")
_RECORDS = ("network", "endpoint", "port", "volume")  # everything that Fairlead remembers, by its own command line
# The counters and the numbers of a store, which go on, and how full its disks are.
_STAYS = re.compile(r"^(instance|forwarding|policies|ula-prefix|pool-guard|port-cursor|cursor|volume-disk)")


def stored(host):
    """What the database of a host holds, but for counters: keys and values, in the order of the keys. Nobody may write meanwhile."""
    with tempfile.TemporaryDirectory() as folder:  # SQLite opens no path through /proc
        for name in ("state.db", "state.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(host.path(f"/var/lib/fairlead/{name}"), f"{folder}/{name}")
        if not os.path.exists(f"{folder}/state.db"):
            return {}
        with contextlib.closing(sqlite3.connect(f"{folder}/state.db")) as store:
            return {key: value for key, value in store.execute("SELECT key, value FROM record ORDER BY key") if not _STAYS.match(key)}


def _commands(has_records):
    commands = {
        "nftables": ("nft", "list", "ruleset"),
        "links": ("ip", "-json", "-details", "link"),
        "traffic control": ("tc", "qdisc", "show"),
        "loop devices": ("losetup", "--list", "--noheadings", "--raw", "--output", "BACK-MAJ:MIN,BACK-FILE"),
        "files": ("sh", "-c", f"find {' '.join(_FOLDERS)} 2>/dev/null || :"),
    }
    for family in ("-4", "-6"):
        commands[f"{family} address"] = ("ip", family, "-oneline", "address")
        commands[f"{family} route"] = ("ip", family, "-oneline", "route", "show", "table", "all")
        commands[f"{family} rule"] = ("ip", family, "-oneline", "rule")
    if has_records:
        for what in _RECORDS:
            commands[f"{what} records"] = (bin_folder() / "fairlead", what, "ls", "--json")
    return commands


class Snapshot:
    """The state of a host at one time, as one text of sections.

    `earlier` is a snapshot of the same host: what the command line lists is not asked again while the database holds the very
    same, for without a daemon it lists nothing else (but of volumes, which it looks at on the disk). To start it for each of its
    lists costs more than the rest of a snapshot.
    """

    def __init__(self, host, earlier=None):
        has_daemon = is_answering(host.path(API_SOCKET))
        now = None if has_daemon else stored(host)
        is_known = earlier is not None and earlier.lists(now)
        commands = _commands(have_fairlead() and not is_known)
        said = dict(zip(commands, host.exec_all(*commands.values()), strict=True))
        self.stored = now if is_known or has_daemon else stored(host)  # the first list on a host writes where its folders are
        addresses = said["-4 address"] + said["-6 address"]
        self.sections = {
            "nftables": _ruleset(said["nftables"], addresses),
            "links": _links(said["links"]),
            "addresses": _ip_lines(addresses),
            "routes": _ip_lines(said["-4 route"] + said["-6 route"]),
            "rules": _ip_lines(said["-4 rule"] + said["-6 rule"]),
            "traffic control": _qdiscs(said["traffic control"]),
            "mounts": _mounts(host),
            "loop devices": _loop_devices(host, said["loop devices"]),
            "files": "\n".join(sorted(line for line in said["files"].splitlines() if not _VOLATILE.search(line))),
            "records": earlier.sections["records"] if is_known else _records(said),
        }

    def lists(self, now):
        """Whether its records are those of a database that holds `now` (None: it is a daemon's)."""
        return now is not None and now == self.stored and not any(key.startswith("volume/") for key in now)

    def difference(self, later):
        """The lines that differ, or an empty text. What was in the trash may be gone: it is emptied behind the answer."""
        lines = []
        for name, text in self.sections.items():
            now = later.sections[name].splitlines()
            then = [line for line in text.splitlines() if line in now or "/volumes/trash/" not in line]
            lines += difflib.unified_diff(then, now, f"{name} before", f"{name} after", lineterm="", n=1)
        return "\n".join(lines)


def _ruleset(text, addresses):
    """All tables and elements of sets, whatever their order. dockerd puts its own rules in another order when it starts again: their order is left out."""
    text = _HANDLES.sub("", _COUNTERS.sub("counter", text))
    text = _ELEMENTS.sub(lambda found: "elements = {" + ", ".join(sorted(re.split(r",\s+", found[1].strip()))) + " }", text)
    text = _QUESTIONS.sub(lambda found: _left_questions(found, addresses), text)
    tables = [table for table in re.split(r"^(?=table )", text, flags=re.MULTILINE) if not has_no_network(table)]
    return "".join(table if table.startswith("table inet fairlead") else _in_any_order(table) for table in sorted(tables))


def _left_questions(found, addresses):
    """Where names are asked follows the networks and the daemon, a moment later; of networks that are gone nothing may be left."""
    there = [re.search(r'"([^"*]+)\*?"|^([0-9a-f.:]+) :', each) for each in found[3].split(", ")]
    left = [match.string for match in there if (match[1] or f" {match[2]}/") not in addresses]
    return found[1] + (found[2] + "elements = {" + ", ".join(left) + " }" if left else "")


def without_questions(ruleset):
    """What follows the daemon, a moment later, is left out of a ruleset."""
    return _QUESTIONS.sub(r"\1", ruleset)


def has_no_network(table):
    """Where Fairlead has switched forwarding on, its table stays with it, and keeps strangers from being routed."""
    return table.startswith("table inet fairlead") and "set bridges {\n\t\ttype ifname\n\t\tflags interval\n\t}" in table


def _in_any_order(table):
    head, *chains = re.split(r"^\t(?=chain )", table, flags=re.MULTILINE)
    return head.strip() + "\n" + "".join(sorted(_chain_in_any_order(chain) for chain in chains))


def _chain_in_any_order(chain):
    name, *rules = [line for line in chain.splitlines() if line.strip(" \t}")]
    return "\n".join([name] + sorted(rules)) + "\n"


def _links(text):
    links = json.loads(text)
    return "\n".join(json.dumps({key: _settled(link, key) for key in _LINK_KEYS}, sort_keys=True) for link in
                     sorted(links, key=lambda link: link["ifname"]))


def _settled(link, key):
    """What changes by itself on an idle host (a bridge's timers) is left out."""
    if key == "linkinfo":
        return link.get("linkinfo", {}).get("info_kind")
    if key == "operstate" and link.get("linkinfo", {}).get("info_kind") == "bridge":
        return None  # up until its first port has come and gone
    return link.get(key)


def _qdiscs(text):
    """That of the loopback guard stays with the bridge."""
    return "\n".join(sorted(line for line in text.splitlines() if not line.startswith("qdisc clsact ffff: dev fl-")))


def _ip_lines(text):
    # Forwarding stays on when the last network goes, as Docker leaves it; with it come IPv6's anycast addresses.
    lines = [line for line in text.splitlines() if not line.startswith("anycast ")]
    kept = [re.sub(r"^\d+: | (valid|preferred)_lft \S+|\\|expires \S+| tentative| linkdown", "", line).strip() for line in lines]
    return "\n".join(sorted(line for line in kept if "fe80::" not in line and "ff00::/8" not in line))


def _loop_devices(host, shown):
    """Those whose file lies on a file system that only this host has: loop devices are shared by all hosts."""
    rows = [row.split() for row in host.path("/proc/1/mountinfo").read_text().splitlines()]
    own = {row[2] for row in rows if row[0] not in host.inherited_mounts}
    return "\n".join(sorted(line.split(maxsplit=1)[1] for line in shown.splitlines() if line.split()[0] in own))


def _mounts(host):
    """Mount point, root, type and source of every mount: the numbers change by themselves."""
    mounts = []
    for line in host.path("/proc/1/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        number, _, _, root, point, *_ = fields.split()
        if number in host.inherited_mounts or point.startswith("/var/lib/containers/"):
            continue  # Podman binds its image store onto itself at the first use and leaves it so
        kind, source, *_ = rest.split()
        mounts.append(f"{point} {'' if kind == 'nsfs' else root} {kind} {source}")
    return "\n".join(sorted(mounts))


def _records(said):
    lines = []
    for what in _RECORDS if have_fairlead() else ():
        lines += [what] + json.dumps(json.loads(said[f"{what} records"]), indent=1, sort_keys=True).splitlines()
    return "\n".join(lines)
