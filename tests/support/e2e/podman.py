"""Podman on a host, with the CNI backend and folders of its own."""

import json

from support.e2e import cni, images
from support.e2e.waiting import eventually

_CONFIG = f"""[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[engine.volume_plugins]
fairlead = "/run/docker/plugins/fairlead.sock"
[network]
network_backend = "cni"
cni_plugin_dirs = ["{cni.BIN_FOLDER}", "{cni.STANDARD_PLUGINS}"]
network_config_dir = "{cni.CONFIG_FOLDER}"
"""


class Podman:
    def __init__(self, host):
        self.host = host
        host.write("/etc/containers/containers.conf", _CONFIG)
        host.write("/etc/containers/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        host.write("/etc/containers/storage.conf", '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
                                                   'graphroot = "/var/lib/containers/storage"\n')

    def load_image(self):
        self.host.path("/run/host/image.tar").write_bytes(images.image_archive().read_bytes())
        self("load", "--quiet", "--input", "/run/host/image.tar")
        return self

    def __call__(self, *arguments, check=True):
        return self.host.exec("podman", *arguments, check=check, env={"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"})

    def use_network(self, conflist):
        """A network is a conflist in the folder; Podman gives it the conflist's name."""
        self.host.write(f"{cni.CONFIG_FOLDER}/{conflist['name']}.conflist", json.dumps(conflist))

    def run(self, name, *options, network, serve=("tcp/80",)):
        self("run", "--detach", "--name", name, "--network", network, "--cgroup-parent", self.host.cgroup, *options,
             images.IMAGE, "answer", name, *serve)
        proto, port = serve[0].split("/")
        with self.net(name) as namespace:
            eventually(lambda: namespace.answers("127.0.0.1", int(port), proto), f"{name} to serve")

    def inspect(self, name):
        return json.loads(self("container", "inspect", name).out)[0]

    def net(self, name):
        return self.host.net_of(self.inspect(name)["State"]["Pid"], name)

    def address(self, name, network):
        return self.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]

    def remove(self, *names):
        self("rm", "--force", "--time", "0", *names)
