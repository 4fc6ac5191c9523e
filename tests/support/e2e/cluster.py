"""Several hosts between which packets go, and a three-member etcd on them with TLS and client certificates.

    host 1  eth1 192.168.90.1, fd90::1  ---+
    host 2  eth1 192.168.90.2, fd90::2  ---+--- bridge "fabric" in a namespace of its own
    host 3  eth1 192.168.90.3, fd90::3  ---+

Each host has its own fairleadd, its own dockerd when asked for, and runs one member of etcd.
"""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from support.e2e import images
from support.e2e.docker import Docker
from support.e2e.host import API_SOCKET, CommandFailed, Host
from support.e2e.namespaces import NetNs
from support.e2e.waiting import eventually

INTERFACE = "eth1"
CERTIFICATES = "/etc/fairlead/tls"
PREFIX = "/fairlead/v1/default/"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def address_of(number, ipv6=False):
    return f"fd90::{number}" if ipv6 else f"192.168.90.{number}"


class UnixHttp(http.client.HTTPConnection):
    """HTTP over a Unix socket of a host."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def ask(socket_path, method, path, body=None):
    """One request to an API or a plugin of Fairlead's: the status, and the text of the answer."""
    with contextlib.closing(UnixHttp(socket_path)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class Certificates:
    """An authority, one certificate for the members, and one for each host, without a common name."""

    def __init__(self, numbers):
        self.folder = Path(tempfile.mkdtemp(prefix="fairlead-e2e-tls-"))
        self._openssl("req", "-x509", *_EC, "-subj", "/CN=fairlead test", "-days", "30", "-keyout", "ca.key", "-out", "ca.crt")
        names = ",".join(f"IP:{address_of(number)}" for number in numbers)
        # etcd's gateway speaks to etcd itself with the server's certificate: it must be a client's, too.
        self._sign("server", "/CN=etcd", f"subjectAltName={names},IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        for number in numbers:
            self._sign(f"client-{number}", f"/O=fairlead/OU=node{number}", "extendedKeyUsage=clientAuth\n")

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def _sign(self, name, subject, extensions):
        (self.folder / f"{name}.ext").write_text(extensions)
        self._openssl("req", *_EC, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "30", "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def install(self, host, number):
        """What the host and its member need, and nothing of the others."""
        for source, target in (("ca", "ca"), ("server", "server"), (f"client-{number}", "client")):
            host.write(f"{CERTIFICATES}/{target}.crt", (self.folder / f"{source}.crt").read_text())
            if target != "ca":
                host.write(f"{CERTIFICATES}/{target}.key", (self.folder / f"{source}.key").read_text(), 0o600)

    def close(self):
        shutil.rmtree(self.folder)


class Fabric:
    """The network between the hosts."""

    def __init__(self):
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        own = os.stat("/proc/self/ns/net").st_ino
        eventually(lambda: os.stat(f"/proc/{self._holder.pid}/ns/net").st_ino != own, "the fabric's namespace")
        self.net = NetNs(f"/proc/{self._holder.pid}/ns/net", "fabric")
        self.ip("link add fabric type bridge", "link set fabric up")

    def ip(self, *commands):
        for command in commands:
            subprocess.run(["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "ip", *command.split()], check=True)

    def plug(self, host, number):
        self.ip(f"link add port{number} type veth peer name {INTERFACE} netns {host.pid}",
                f"link set port{number} master fabric up")
        for command in (f"addr add {address_of(number)}/24 dev {INTERFACE}",
                        f"addr add {address_of(number, True)}/64 dev {INTERFACE} nodad", f"link set {INTERFACE} up"):
            host.exec("ip", *command.split())

    def cut(self, number):
        self.ip(f"link set port{number} nomaster")

    def mend(self, number):
        self.ip(f"link set port{number} master fabric")

    def close(self):
        self.net.close()
        self._holder.stdin.close()
        self._holder.wait(10)


class Node:
    """One of the hosts, with what runs on it."""

    def __init__(self, cluster, number):
        self.number = number
        self.name = f"node{number}"
        self._cluster = cluster
        self.host = Host()
        self.etcd, self.fairleadd, self.docker = None, None, None

    # ---- etcd

    def start_etcd(self, fresh):
        own = address_of(self.number)
        members = ",".join(f"node{number}=https://{address_of(number)}:2380" for number in self._cluster.numbers)
        tls = [f"--{kind}{what}" for kind in ("", "peer-") for what in (
            f"cert-file={CERTIFICATES}/server.crt", f"key-file={CERTIFICATES}/server.key",
            f"trusted-ca-file={CERTIFICATES}/ca.crt", "client-cert-auth")]
        self.etcd = self.host.start(
            "etcd", "--name", self.name, "--data-dir", "/var/lib/fairlead/etcd", "--initial-cluster", members,
            "--initial-cluster-state", "new" if fresh else "existing",
            "--listen-client-urls", f"https://{own}:2379", "--advertise-client-urls", f"https://{own}:2379",
            "--listen-peer-urls", f"https://{own}:2380", "--initial-advertise-peer-urls", f"https://{own}:2380",
            "--experimental-watch-progress-notify-interval", "5s", "--auto-compaction-retention", "1h", *tls,
            name="etcd")

    def etcdctl(self, *words, user="", check=True):
        """The command line of etcd, with this host's certificate."""
        as_user = ("--user", user) if user else ()
        return self.host.exec("etcdctl", "--endpoints", f"https://{address_of(self.number)}:2379", "--cacert",
                              f"{CERTIFICATES}/ca.crt", "--cert", f"{CERTIFICATES}/client.crt", "--key",
                              f"{CERTIFICATES}/client.key", *as_user, *words, env={"ETCDCTL_API": "3"}, check=check)

    def put_record(self, key, value):
        """As somebody who may write into etcd; `value` is the JSON, or a text that is none."""
        self.etcdctl("put", "--", PREFIX + key, value if isinstance(value, str) else json.dumps(value))

    def record(self, key):
        return self.etcdctl("get", "--print-value-only", PREFIX + key).out.strip()

    def drop_records(self, *keys):
        for key in keys:
            self.etcdctl("del", "--prefix", PREFIX + key)

    @property
    def host_id(self):
        return self.host.path("/var/lib/fairlead/host-id").read_text().strip()

    def mac(self, name):
        """Of the interface in the namespace `name`."""
        return json.loads(self.host.exec("ip", "-json", "-n", name, "link", "show", "eth0").out)[0]["address"]

    def etcd_keys(self):
        """All that the cluster remembers, by the gateway of this host's member."""
        said = self.host.exec(
            "curl", "--silent", "--fail", "--cacert", f"{CERTIFICATES}/ca.crt", "--cert", f"{CERTIFICATES}/client.crt",
            "--key", f"{CERTIFICATES}/client.key", f"https://{address_of(self.number)}:2379/v3/kv/range",
            "--data", json.dumps({"key": "AA==", "range_end": "AA==", "keys_only": True}))
        return sorted(base64.b64decode(pair["key"]).decode() for pair in json.loads(said.out).get("kvs", []))

    # ---- fairleadd

    def configure(self, **keys):
        numbers = [self.number, *(number for number in self._cluster.numbers if number != self.number)]
        cluster = {"etcd": [f"https://{address_of(number)}:2379" for number in numbers], "address": INTERFACE,
                   "host": self.name, "ca_file": f"{CERTIFICATES}/ca.crt",
                   "certificate_file": f"{CERTIFICATES}/client.crt", "key_file": f"{CERTIFICATES}/client.key", **keys}
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"cluster": cluster}))

    def start_fairleadd(self, env=None):
        self.fairleadd = self.host.launch_fairleadd(env=env)
        self.host.await_fairleadd(self.fairleadd)
        self.fairleadd.await_start(lambda: self.status()["joined"], f"{self.name} to join", 30)

    def status(self):
        return self.host.fairlead_json("cluster", "status")

    def hosts(self):
        """The states of all hosts by name, as this one sees them."""
        return {host["name"]: host["state"] for host in self.host.fairlead_json("host", "ls")}

    def remote_entries(self, network):
        """{address: MAC} and {MAC: host} that the kernel has for the containers of other hosts."""
        device = self.tunnel(network)
        shown = json.loads(self.host.exec("ip", "-json", "neigh", "show", "dev", device, "nud", "permanent").out or "[]")
        neighbours = {entry["dst"]: entry["lladdr"] for entry in shown}
        shown = json.loads(self.host.exec("bridge", "-json", "fdb", "show", "dev", device).out or "[]")
        forwarding = {entry["mac"]: entry["dst"] for entry in shown if "dst" in entry}
        return neighbours, forwarding

    def tunnel(self, network):
        state = json.loads(self.host.fairlead("network", "inspect", network).out)[0]["state"]
        return state["overlay"]["device"]

    # ---- containers without a runtime

    def add_netns(self, name):
        self.host.exec("ip", "netns", "add", name)

    def attach(self, name, network, there=False, **wishes):
        """A namespace called `name`, on the network by Fairlead's own API; its IPv4 address."""
        if not there:
            self.add_netns(name)
        made = self.call("POST", "/v1/endpoints", {"network": network, "id": name, "container": name,
                                                   "netns": f"/run/netns/{name}", **wishes})
        return made["addresses"][0].split("/")[0]

    def detach(self, name, network):
        self.call("DELETE", f"/v1/endpoints/{network}/{name}")

    def call(self, method, path, body=None):
        """Fairlead's own API; CommandFailed with what it said."""
        try:
            status, text = ask(self.host.path(API_SOCKET), method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise CommandFailed(f"{method} {path}: {error}") from error
        if status >= 300:
            raise CommandFailed(f"{method} {path}: {text}")
        return json.loads(text or "null")

    # ---- Docker

    def start_docker(self):
        self.docker = Docker(self.host, live_restore=True).start().load_image()

    def join(self, name, *options):
        """The command that the documentation has."""
        self.docker("network", "create", "--driver", "fairlead", "--ipam-driver", "fairlead", "--ipam-opt",
                    f"network={name}", "--opt", "mode=overlay", "--opt", f"network={name}", *options, name)

    # ---- faults

    def cut_from(self, *ports, others=None):
        """No packets to or from these TCP ports of the other hosts; the tunnels go on."""
        rules = "\n".join(f"    tcp {side} {{ {', '.join(map(str, ports))} }} ip {end} {{ {', '.join(others or ['192.168.90.0/24'])} }} drop"
                          for side, end in (("dport", "daddr"), ("sport", "daddr")))
        own = f"    ip saddr {address_of(self.number)} ip daddr {address_of(self.number)} accept"
        self.host.exec("nft", "-f", "-", data=f"""table ip partition {{
  chain out {{
    type filter hook output priority -200
{own}
{rules}
  }}
}}
""")

    def heal(self):
        self.host.exec("nft", "delete", "table", "ip", "partition")


class Cluster:
    """See the text at the top. Use as a context manager."""

    def __init__(self, hosts=3, docker=True):
        self.numbers = list(range(1, hosts + 1))
        self.nodes = []
        self._docker = docker
        self._certificates, self.fabric = None, None

    def __enter__(self):
        try:
            self._certificates = Certificates(self.numbers)
            self.fabric = Fabric()
            for number in self.numbers:
                node = Node(self, number)
                self.nodes.append(node)
                self.fabric.plug(node.host, number)
                self._certificates.install(node.host, number)
                node.start_etcd(fresh=True)
                node.configure()
            for node in self.nodes:
                node.start_fairleadd()
            if self._docker:
                images.image_archive()  # made once, not by each thread
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    list(pool.map(Node.start_docker, self.nodes))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.host.close()
        if self.fabric:
            self.fabric.close()
        if self._certificates:
            self._certificates.close()

    def etcd_leader(self):
        """The node whose member leads."""
        def found():
            for member in self.nodes[0].status()["etcd"]:
                if member.get("leader"):
                    return next(node for node in self.nodes if f"//{address_of(node.number)}:" in member["endpoint"])
            return None
        return eventually(found, "a leader of etcd", 15, 0.2)
