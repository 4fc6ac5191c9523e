"""CNI as a runtime calls it: one process per plugin and verb, a conflist's plugins in a row."""

import json
import re
from pathlib import Path

from support.e2e.host import bin_folder
from support.e2e.namespaces import NetNs

BIN_FOLDER = "/opt/cni/bin"
CONFIG_FOLDER = "/etc/cni/net.d"
STANDARD_PLUGINS = "/usr/lib/cni"


class CniError(AssertionError):
    """The error object of a plugin."""

    def __init__(self, verb, container, code, message, details):
        super().__init__(f"{verb} of {container}: code {code}: {message} ({details})")
        self.code, self.message, self.details = code, message, details


def install_fairlead(host):
    """Fairlead's CNI executable in the host's CNI folder, as a package would put it there."""
    for program, name in (("fairlead-cni", "fairlead"), ("fairlead-cni-local", "fairlead-cni-local")):
        target = host.path(f"{BIN_FOLDER}/{name}")
        target.unlink(missing_ok=True)
        target.symlink_to(bin_folder() / program)


def fairlead_conflist(name, subnet=None, version="1.0.0", **keys):
    """A conflist of the one plugin that does it all."""
    plugin = {"type": "fairlead", "capabilities": {"portMappings": True, "ips": True, "mac": True}, **keys}
    if subnet:
        plugin["subnet"] = subnet
    return {"cniVersion": version, "name": name, "plugins": [plugin]}


def documented_conflists():
    """Those that docs/cni.md shows, by their names."""
    text = (Path(__file__).resolve().parents[3] / "docs/cni.md").read_text()
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    return {conflist["name"]: conflist for conflist in shown}


def standard_conflist(name, bridge, subnet):
    """What people use today."""
    ipam = {"type": "host-local", "subnet": subnet, "routes": [{"dst": "0.0.0.0/0"}]}
    return {"cniVersion": "1.0.0", "name": name, "plugins": [
        {"type": "bridge", "bridge": bridge, "isGateway": True, "ipMasq": True, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}}]}


class Network:
    """One conflist on one host, and the verbs of a runtime on it."""

    def __init__(self, host, conflist, folder=BIN_FOLDER, env=None, namespace="host"):
        self.host, self.conflist, self._folder, self._env, self._namespace = host, conflist, folder, env or {}, namespace
        self._results = {}

    @property
    def name(self):
        return self.conflist["name"]

    def add(self, container, ifname="eth0", ports=(), args="", env=None, **runtime_config):
        """ADD into the namespace called like the container; `ports` are (host port, container port[, proto[, host IP]])."""
        if ports:
            runtime_config["portMappings"] = [_mapping(*port) for port in ports]
        self._results[container, ifname] = None
        result = None
        for plugin in self.conflist["plugins"]:
            config = self._config(plugin, result, runtime_config)
            result = self.call(plugin["type"], "ADD", config, container, ifname, args=args, env=env)
            self._results[container, ifname] = (result, runtime_config)
        return result

    def delete(self, container, ifname="eth0", netns=None, forget=False, env=None):
        """DEL; `forget` leaves out what the runtime would have kept (the result, the ports)."""
        result, runtime_config = (None if forget else self._results.get((container, ifname))) or (None, {})
        for plugin in reversed(self.conflist["plugins"]):
            self.call(plugin["type"], "DEL", self._config(plugin, result, runtime_config), container, ifname, netns,
                      env=env)
        self._results.pop((container, ifname), None)

    def check(self, container, ifname="eth0"):
        result, runtime_config = self._results[container, ifname]
        for plugin in self.conflist["plugins"]:
            self.call(plugin["type"], "CHECK", self._config(plugin, result, runtime_config), container, ifname)

    def collect(self, valid):
        """GC: everything but the (container, ifname) pairs in `valid` may go."""
        listed = [{"containerID": container, "ifname": ifname} for container, ifname in valid]
        for plugin in self.conflist["plugins"]:
            config = {**self._config(plugin, None, {}), "cni.dev/valid-attachments": listed}
            self.call(plugin["type"], "GC", config, "", "", "")

    def status(self):
        for plugin in self.conflist["plugins"]:
            self.call(plugin["type"], "STATUS", self._config(plugin, None, {}), "", "", "")

    def _config(self, plugin, result, runtime_config):
        config = {**plugin, "cniVersion": self.conflist["cniVersion"], "name": self.conflist["name"]}
        wanted = {key: value for key, value in runtime_config.items() if plugin.get("capabilities", {}).get(key)}
        if wanted:
            config["runtimeConfig"] = wanted
        if result is not None:
            config["prevResult"] = result
        return config

    def call(self, program, verb, config, container, ifname="eth0", netns=None, args="", env=None):
        """One process; its result, None when it said nothing, or CniError."""
        data = config if isinstance(config, (str, bytes)) else json.dumps(config)
        output = self.run(program, verb, data, container, ifname, netns, args, env)
        if output.code != 0:
            raise _error(verb, container, output)
        return json.loads(output.out) if output.out.strip() else None

    def run(self, program, verb, data, container, ifname="eth0", netns=None, args="", env=None):
        """One process, whatever it answers."""
        settings = {"CNI_COMMAND": verb, "CNI_CONTAINERID": container, "CNI_IFNAME": ifname, "CNI_ARGS": args,
                    "CNI_NETNS": f"/run/netns/{container}" if netns is None else netns, "CNI_PATH": self._folder}
        return self.host.exec(f"{self._folder}/{program}", check=False, data=data,
                              env={**settings, **self._env, **(env or {})}, namespace=self._namespace)


def _mapping(host_port, container_port, proto="tcp", host_ip=""):
    return {"hostPort": host_port, "containerPort": container_port, "protocol": proto, "hostIP": host_ip}


def _error(verb, container, output):
    try:
        error = json.loads(output.out)
        return CniError(verb, container, error["code"], error["msg"], error.get("details", ""))
    except (ValueError, KeyError, TypeError):
        return CniError(verb, container, None, f"exit code {output.code}, no error object", output.out + output.err)


def address_of(result, family=4):
    """The container's address in an ADD's result, without its prefix length."""
    addresses = [entry["address"] for entry in result["ips"]]
    return next(text.split("/")[0] for text in addresses if (":" in text) == (family == 6))


class Containers:
    """Network namespaces that stand for containers, by name."""

    def __init__(self, host):
        self.host = host
        self._names = []

    def make(self, *names):
        batch = "".join(f"netns add {name}\n" for name in names)
        self.host.exec("ip", "-batch", "-", data=batch)
        self._names += names
        return names

    def net(self, name) -> NetNs:
        return self.host.named_net(name)

    def remove(self, *names):
        batch = "".join(f"netns delete {name}\n" for name in names)
        self.host.exec("ip", "-batch", "-", data=batch)
        self._names = [name for name in self._names if name not in names]

    def remove_all(self):
        if self._names:
            self.remove(*self._names)
