"""A host of its own: private network, mounts, processes and /run, with an uplink to an "outside" beyond it.

    host  203.0.113.2/24, 2001:db8:5::2/64   --- uplink ---   outside  203.0.113.1/24, 2001:db8:5::1/64
                                                               further 198.51.100.7, 2001:db8:99::7 (to be routed to)

Everything that runs on a host is a process of its pid namespace, so that closing the host ends it, by one process id.
"""

import atexit
import contextlib
import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.e2e import images
from support.e2e.namespaces import NetNs
from support.e2e.waiting import eventually

HOST_V4, OUTSIDE_V4, FURTHER_V4 = "203.0.113.2", "203.0.113.1", "198.51.100.7"
HOST_V6, OUTSIDE_V6, FURTHER_V6 = "2001:db8:5::2", "2001:db8:5::1", "2001:db8:99::7"
UPLINK = "uplink0"
PLUGIN_SOCKET = "/run/docker/plugins/fairlead.sock"
API_SOCKET = "/run/fairlead/api.sock"
FAIRLEAD_SOCKETS = (PLUGIN_SOCKET, API_SOCKET)

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_INIT = Path(__file__).resolve().parent / "host_init.py"
_numbers = itertools.count(1)
_open_hosts = []


def bin_folder():
    """Where Fairlead's executables are: chosen by run.py --bin."""
    return Path(os.environ.get("FAIRLEAD_E2E_BIN", ""))


def have_fairlead():
    return (bin_folder() / "fairleadd").is_file()


class CommandFailed(AssertionError):
    """A command on a host failed; the text holds what it said."""


@dataclass
class Output:
    code: int
    out: str
    err: str


class Daemon:
    """A program in the background of a host, known by its process id."""

    def __init__(self, host, popen, pid, log):
        self.host, self._popen, self.pid, self._log = host, popen, pid, log

    def log(self):
        return Path(self._log).read_text(errors="replace")

    def running(self):
        return self._popen.poll() is None

    def await_start(self, condition, what, deadline=10.0):
        """As eventually(), and CommandFailed at once when the program ends."""
        eventually(lambda: not self.running() or condition(), what, deadline)
        if not self.running():
            raise CommandFailed("it ended:\n" + self.log()[-3000:])

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    @contextlib.contextmanager
    def paused(self):
        """It does nothing meanwhile."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def stop(self, deadline=30):
        """SIGTERM and the exit code; SIGKILL (and a failure) when that takes too long."""
        self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait(10)

    def wait(self, deadline):
        try:
            return self._popen.wait(deadline)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self._popen.wait(10)
            raise AssertionError(f"process {self.pid} did not end within {deadline} s:\n{self.log()[-3000:]}") from None

    def resident_kib(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Host:
    """See the text at the top. Use as a context manager, or close() it."""

    def __init__(self):
        self.name = f"fairlead-e2e-{os.getpid()}-{next(_numbers)}"
        self.cgroup = "/" + self.name
        self._closed = False
        self._daemons = []
        self._init, self._outside = None, None
        _open_hosts.append(self)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start_init(self):
        return subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", sys.executable,
             str(_INIT), self.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")

    def _start(self):
        self._init = self._start_init()
        self._outside = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self.pid = int(self._init.stdout.readline() or 0)
        # Mounts of the machine that this host only inherited: what others do to them is not the host's doing.
        self.inherited_mounts = self._init.stdout.readline().split()
        if self._init.stdout.readline().strip() != "ready":
            raise CommandFailed("the host did not start")
        self.net = NetNs(f"/proc/{self.pid}/ns/net", "host")
        own = os.stat("/proc/self/ns/net").st_ino
        eventually(lambda: os.stat(f"/proc/{self._outside.pid}/ns/net").st_ino != own, "the outside namespace")
        self.outside = NetNs(f"/proc/{self._outside.pid}/ns/net", "outside")
        self._connect_outside()

    def _connect_outside(self):
        # Numbers that differ: of a link that has its peer's the kernel tells a second later that it is up (link_watch.c).
        self._ip(self.pid, f"link add {UPLINK} index 10 type veth peer name eth0 netns {self._outside.pid}",
                 f"addr add {HOST_V4}/24 dev {UPLINK}", f"addr add {HOST_V6}/64 dev {UPLINK} nodad",
                 f"link set {UPLINK} up")
        self._ip(self._outside.pid, f"addr add {OUTSIDE_V4}/24 dev eth0", f"addr add {OUTSIDE_V6}/64 dev eth0 nodad",
                 f"addr add {FURTHER_V4}/32 dev lo", f"addr add {FURTHER_V6}/128 dev lo",
                 "link set lo up", "link set eth0 up")
        self._ip(self.pid, f"route add default via {OUTSIDE_V4}", f"-6 route add default via {OUTSIDE_V6}")
        eventually(self._is_connected, "the uplink to be ready")

    def _is_connected(self):
        """Whether both ends are up: from then on they have a link-local address, and hear who asks for their IPv6 addresses."""
        def is_up(pid, ifname):
            rows = [row.split() for row in Path(f"/proc/{pid}/net/if_inet6").read_text().splitlines()]
            return any(row[0].startswith("fe80") and row[5] == ifname for row in rows)
        return is_up(self.pid, UPLINK) and is_up(self._outside.pid, "eth0")

    def add_uplink(self, name, ifname, *addresses):
        """A second neighbour, behind an interface of its own: a namespace of the host's, which is returned.

        `addresses` are (the host's, the neighbour's), one pair for each family.
        """
        self.exec("ip", "netns", "add", name)
        commands = [f"link add {ifname} type veth peer name eth0 netns {name}"]
        for own, other in addresses:
            length, nodad = ("64", "nodad") if ":" in own else ("24", "")
            commands += [f"addr add {own}/{length} dev {ifname} {nodad}", f"-n {name} addr add {other}/{length} dev eth0 {nodad}"]
        commands += [f"link set {ifname} up", f"-n {name} link set lo up", f"-n {name} link set eth0 up"]
        for command in commands:
            self.exec("ip", *command.split())
        return self.named_net(name)

    @staticmethod
    def _ip(pid, *commands):
        for command in commands:
            subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *command.split()], check=True)

    # ---- Fairlead -------------------------------------------------------------------------------------------------

    def start_fairleadd(self, *options, env=None):
        """fairleadd with its default paths, which are this host's alone; returns when all its sockets answer."""
        return self.await_fairleadd(self.launch_fairleadd(*options, env=env))

    def launch_fairleadd(self, *options, env=None):
        """As start_fairleadd(), for one that may end before it answers."""
        return self.start(bin_folder() / "fairleadd", *options, name="fairleadd", env=env, may_end=True)

    def await_fairleadd(self, daemon):
        daemon.await_start(lambda: all(_accepts(self.path(socket)) for socket in FAIRLEAD_SOCKETS), "fairleadd to answer")
        return daemon

    def fairlead(self, *arguments, check=True, data=None, env=None, namespace="host"):
        """The command line."""
        return self.exec(bin_folder() / "fairlead", *arguments, check=check, data=data, env=env, namespace=namespace)

    def fairlead_json(self, *arguments):
        return json.loads(self.fairlead(*arguments, "--json").out)

    def networks(self):
        return self.fairlead_json("network", "ls")

    def endpoints(self):
        return self.fairlead_json("endpoint", "ls")

    def ports(self):
        return self.fairlead_json("port", "ls")

    def volumes(self):
        return self.fairlead_json("volume", "ls")

    # ---- the outside ----------------------------------------------------------------------------------------------

    def outside_ip(self, *commands):
        """ip commands in the outside namespace."""
        self._ip(self._outside.pid, *commands)

    # ---- end ------------------------------------------------------------------------------------------------------

    def close(self):
        if self._closed:
            return
        self._closed = True
        _open_hosts.remove(self)
        for process in (self._init, self._outside):
            if process is not None:
                process.stdin.close()
        for process in (self._init, self._outside):
            self._reap(process)
        for daemon in self._daemons:
            daemon.wait(10)
        for namespace in ("net", "outside"):
            if hasattr(self, namespace):
                getattr(self, namespace).close()
        remove_cgroups(self.name)

    def _reap(self, process):
        if process is None:
            return
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()  # its child goes with it (unshare --kill-child)
            process.wait(10)
        if process.stdout:
            process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- commands and files ---------------------------------------------------------------------------------------

    def _enter(self, namespace, command, env):
        """Arguments of Popen."""
        settings = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", **(env or {})}
        known = {"host": "-", "outside": f"/proc/{self._outside.pid}/ns/net"}
        net = known.get(namespace) or self.path("/run/netns/" + namespace)
        return {"args": [images.enter(), str(self.pid), str(net), *map(str, command)],
                "env": {key: str(value) for key, value in settings.items()}}

    def exec(self, *command, check=True, data=None, timeout=120, env=None, namespace="host"):
        """Runs a command on the host; CommandFailed with all that it said when it fails and `check` is on.

        `namespace` is "host", "outside", or the name of a network namespace of the host's.
        """
        text = data is None or isinstance(data, str)
        done = subprocess.run(**self._enter(namespace, command, env), input=data, capture_output=True, text=text,
                              timeout=timeout, check=False, stdin=subprocess.DEVNULL if data is None else None)
        output = Output(done.returncode, *(x if text else x.decode(errors="replace") for x in (done.stdout, done.stderr)))
        if check and output.code != 0:
            raise CommandFailed(f"{' '.join(map(str, command))}\nexit code {output.code}\n{output.out}{output.err}")
        return output

    def exec_all(self, *commands):
        """What each of the commands says, as a list: one entry into the host for all of them. CommandFailed as exec()."""
        script = "\n".join(f"{shlex.join(map(str, each))} </dev/null; printf '\\036%d\\036' $?" for each in commands)
        parts = self.exec("sh", "-c", script).out.split("\x1e")
        outs, codes = parts[0:-1:2], parts[1::2]
        for command, code in zip(commands, codes, strict=True):
            if code != "0":
                self.exec(*command)  # says what is wrong, unless it went away
        return outs

    def start(self, *command, name, env=None, namespace="host", may_end=False):
        """Starts a program in the background, its output in /run/host/<name>.log.

        One that may end at once is given back ended, without a pid; any other that does is CommandFailed.
        """
        log = self.path(f"/run/host/{name}.log")
        with open(log, "ab") as file:
            # The daemon is a child of enter: its cgroup is left as it is, the runtime makes its own below.
            popen = subprocess.Popen(**self._enter(namespace, command, env), stdin=subprocess.DEVNULL, stdout=file,
                                     stderr=file)
        try:
            pid = eventually(lambda: _only_child(popen), f"{name} to start")
        except CommandFailed:
            if not may_end:
                raise
            pid = None
        daemon = Daemon(self, popen, pid, log)
        self._daemons.append(daemon)
        return daemon

    def path(self, path):
        """A path of the host, as this process can open it."""
        return Path(f"/proc/{self.pid}/root") / str(path).lstrip("/")

    def write(self, path, text, mode=None):
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if mode is not None:
            target.chmod(mode)

    def link(self, name):
        """A link as `ip -json -details link` shows it."""
        return json.loads(self.exec("ip", "-json", "-details", "link", "show", name).out)[0]

    def net_of(self, pid, label=None):
        """The network namespace of a process, by the host's own count of pids."""
        return NetNs(self.path(f"/proc/{pid}/ns/net"), label or f"process {pid}")

    def named_net(self, name):
        return NetNs(self.path(f"/run/netns/{name}"), name)

    def answer_outside(self, *ports):
        """An answer server in the outside namespace."""
        return self._answer("outside", ports)

    def answer_here(self, *ports):
        """An answer server in the host's own namespace."""
        return self._answer("host", ports)

    def _answer(self, name, ports):
        server = self.path("/run/host/answer")
        if not server.exists():
            shutil.copy(images.answer_server(), server)
        return self.start("/run/host/answer", name, *ports, name="answer-" + name, namespace=name)


def is_answering(path):
    """Whether somebody accepts connections at a socket."""
    with contextlib.suppress(OSError):
        return _accepts(path)
    return False


def _accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True


def _only_child(popen):
    if popen.poll() is not None:
        raise CommandFailed(f"ended at once with {popen.returncode}")
    children = Path(f"/proc/{popen.pid}/task/{popen.pid}/children").read_text().split()
    return int(children[0]) if children else None


def remove_cgroups(name):
    """Removes the cgroups called `name` with all below, in every hierarchy; nothing runs in them any more."""
    for folder in _cgroup_folders():
        top = folder / name
        if top.exists():
            eventually(lambda top=top: _remove_tree(top), f"cgroup {top} to go", deadline=5)


def _cgroup_folders():
    """Where a runtime makes cgroups: at the root of each hierarchy, or below this process's own."""
    top = Path("/sys/fs/cgroup")
    hierarchies = [top] + [folder for folder in top.iterdir() if folder.is_dir()]
    own = {line.split(":", 2)[2].strip().lstrip("/") for line in Path("/proc/self/cgroup").read_text().splitlines()}
    return [hierarchy / path for hierarchy in hierarchies for path in own | {""}]


def _remove_tree(top):
    for folder, _, _ in os.walk(top, topdown=False):
        os.rmdir(folder)
    return not top.exists()


def _close_all():
    for host in list(_open_hosts):
        host.close()


atexit.register(_close_all)
