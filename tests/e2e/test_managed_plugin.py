"""Fairlead as a managed plugin of Docker: no daemon of its own on the host, and its image in a registry that runs on it."""

import concurrent.futures
import json
import shutil
import unittest
from pathlib import Path

from support.e2e import debian_images, images
from support.e2e.case import HostCase
from support.e2e.cluster import Cluster, address_of
from support.e2e.docker import Docker, stand_in
from support.e2e.host import API_SOCKET, HOST_V4, bin_folder, is_answering
from support.e2e.waiting import eventually

_SCRIPTS = debian_images.REPOSITORY / "packaging/docker-plugin"
PLUGIN = "fairlead:latest"  # Docker finds the driver of a managed plugin by its name with the tag only
_CAP_SYS_RESOURCE = 24
REGISTRY = "127.0.0.1:5000"
NEXT = f"{REGISTRY}/fairlead:next"


def build_plugin(docker, *names):
    """As the documentation has it."""
    docker.host.write("/run/host/config.json", json.dumps(config_for_here()))
    docker.host.exec(_SCRIPTS / "build.sh", *names, timeout=600,
                     env={**debian_images.ENVIRONMENT, "BIN": bin_folder(), "CONFIG": "/run/host/config.json"})


def config_for_here():
    """The plugin's, without a capability that the machine of the tests cannot give."""
    config = json.loads((_SCRIPTS / "config.json").read_text())
    bounding = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    if not int(bounding.split()[1], 16) & 1 << _CAP_SYS_RESOURCE:
        config["Linux"]["Capabilities"].remove("CAP_SYS_RESOURCE")
    return config


def make_registry_image(docker):
    """Debian's registry in an image called "registry"."""
    debian_images.require(debian_images.OF_WEBAPP)
    docker.host.exec(debian_images.OF_WEBAPP, env=debian_images.ENVIRONMENT)
    docker("build", "--quiet", "--tag", "registry", debian_images.REPOSITORY / "examples/webapp/registry")


def answers_api(host):
    return is_answering(host.path(API_SOCKET))


def enable(docker, name=PLUGIN):
    docker("plugin", "enable", name)
    eventually(lambda: answers_api(docker.host), "the plugin's API to answer")


class ManagedPluginCase(HostCase):
    """A host with Docker and the plugin, made by the script and enabled."""

    needs_fairlead = True

    @classmethod
    def setUpClass(cls):
        if stand_in():
            raise unittest.SkipTest("it is about Fairlead's own plugin")
        debian_images.require(debian_images.OF_PLUGIN)
        super().setUpClass()
        cls.docker = Docker(cls.host).start().load_image()
        build_plugin(cls.docker, "fairlead", NEXT)
        cls.host.path("/var/lib/fairlead").mkdir(exist_ok=True)
        enable(cls.docker)

    def tearDown(self):
        self.docker.remove_everything()
        super().tearDown()

    def network(self, name, *options):
        return self.docker.network(name, *options, driver=PLUGIN, ipam=PLUGIN)

    def plugin_is_enabled(self):
        return self.docker("plugin", "inspect", "--format", "{{.Enabled}}", PLUGIN).out.strip() == "true"


class ManagedPlugin(ManagedPluginCase):
    def test_containers_have_its_networks_and_volumes(self):
        self.network("shop", "--subnet", "10.77.0.0/24")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker("volume", "create", "--driver", "fairlead", "--opt", "backend=image", "--opt", "size=64M", "disk")
        self.docker.run("web", "--publish", "8080:80", "--volume", "data:/data", "--volume", "disk:/disk", network="shop")
        self.docker.run("other", "--volume", "data:/data", network="shop")
        self.assertTrue(self.docker.ping("other", self.docker.address("web", "shop")))
        self.assertEqual(self.docker.resolves("other", "web"), {self.docker.address("web", "shop")})
        self.assertTrue(self.host.outside.answers(HOST_V4, 8080), "the published port")
        self.docker.exec("web", "sh", "-c", "echo by-web >/data/note; echo by-web >/disk/note")
        self.assertEqual(self.docker.exec("other", "cat", "/data/note").out, "by-web\n")
        self.assertIn(" ext4 ", self.docker.exec("web", "grep", " /disk ", "/proc/mounts").out)
        self.assertEqual({volume["name"] for volume in self.host.volumes()}, {"data", "disk"}, "the host's command line asks the plugin")
        self.assertEqual([port["host_port"] for port in self.host.ports()], [8080])

    def test_a_restart_of_dockerd_keeps_networks_and_volumes(self):
        self.network("shop")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker.run("web", "--restart", "always", "--publish", "8080:80", "--volume", "data:/data", network="shop")
        self.docker.exec("web", "sh", "-c", "echo kept >/data/note")
        self.docker.stop()
        self.docker.start()
        self.assertTrue(self.plugin_is_enabled())
        self.docker.wait_serving("web")
        self.assertEqual(self.docker.exec("web", "cat", "/data/note").out, "kept\n")
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the published port")

    def test_an_update_comes_from_a_registry_that_runs_on_the_plugin_itself(self):
        self.start_registry()
        self.network("shop")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker("volume", "create", "--driver", "fairlead", "--opt", "backend=image", "--opt", "size=64M", "disk")
        self.docker.run("web", "--publish", "8080:80", "--volume", "data:/data", "--volume", "disk:/disk", network="shop")
        self.docker.run("other", network="shop")
        web = self.docker.address("web", "shop")
        self.docker.exec("web", "sh", "-c", "echo kept | tee /data/note >/disk/note")
        self.docker("plugin", "push", NEXT)
        self.docker("plugin", "rm", NEXT)

        self.docker("plugin", "disable", "--force", PLUGIN)
        self.assertFalse(answers_api(self.host))
        self.assertTrue(self.docker.ping("other", web), "no plugin runs, containers go on")
        self.docker("plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", PLUGIN, NEXT)
        self.assertTrue(self.host.outside.answers(HOST_V4, 8080), "the published port during the update")
        self.docker.exec("web", "sh", "-c", "echo meanwhile >>/disk/note")
        enable(self.docker)
        self.assertIn(NEXT, self.docker("plugin", "inspect", PLUGIN).out)
        self.assert_all_there(web)

        # Removed and installed anew, with the networks and volumes of the one before.
        self.docker("plugin", "disable", "--force", PLUGIN)
        self.docker("plugin", "rm", "--force", PLUGIN)
        self.assertTrue(self.docker.ping("other", web), "no plugin is there, containers go on")
        self.docker("plugin", "install", "--alias", "fairlead", "--grant-all-permissions", NEXT)
        eventually(lambda: answers_api(self.host), "the plugin's API to answer")
        self.assert_all_there(web)

    def assert_all_there(self, web):
        self.assertEqual(self.docker.exec("web", "cat", "/data/note", "/disk/note").out, "kept\nkept\nmeanwhile\n")
        self.docker.run("new", "--volume", "data:/data", "--volume", "disk:/disk", network="shop")
        self.assertTrue(self.docker.ping("new", web))
        self.assertEqual(self.docker.exec("new", "cat", "/data/note", "/disk/note").out, "kept\nkept\nmeanwhile\n")
        self.docker.remove("new")

    def start_registry(self):
        """Debian's, of its own image, on a network and with a volume of the plugin's."""
        self.network("registry")
        self.docker("volume", "create", "--driver", "fairlead", "images")
        make_registry_image(self.docker)
        self.docker("run", "--detach", "--name", "registry", "--network", "registry", "--publish", f"{REGISTRY}:5000", "--volume", "images:/images", "registry")
        eventually(lambda: self.host.exec("curl", "--silent", "--fail", f"http://{REGISTRY}/v2/", check=False).code == 0, "the registry to answer", 30)


class SwarmOnTwoHosts(unittest.TestCase):
    """The plugin on the hosts of a swarm, which are a cluster of Fairlead's as well."""

    @classmethod
    def setUpClass(cls):
        if stand_in():
            raise unittest.SkipTest("it is about Fairlead's own plugin")
        debian_images.require(debian_images.OF_PLUGIN)
        super().setUpClass()
        cls.nodes = cls.enterClassContext(Cluster(hosts=2, docker=False)).nodes
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(cls.start_plugin, cls.nodes))
        cls.dockers = [node.docker for node in cls.nodes]
        cls.join_swarm()

    @classmethod
    def start_plugin(cls, node):
        """In the place of the fairleadd that ran there, with its configuration."""
        node.fairleadd.stop()
        etc, state = node.host.path("/etc/fairlead"), node.host.path("/var/lib/fairlead")
        shutil.copytree(etc / "tls", state / "tls")
        (state / "fairlead.json").write_text((etc / "fairlead.json").read_text().replace("/etc/fairlead/", "/var/lib/fairlead/"))
        node.docker = Docker(node.host).start().load_image()
        build_plugin(node.docker, "fairlead")
        enable(node.docker)
        eventually(lambda: node.status()["joined"], f"{node.name} to join", 30)

    @classmethod
    def join_swarm(cls):
        manager, worker = cls.dockers
        manager("swarm", "init", "--advertise-addr", address_of(1))
        token = manager("swarm", "join-token", "--quiet", "worker").out.strip()
        worker("swarm", "join", "--advertise-addr", address_of(2), "--token", token, f"{address_of(1)}:2377")

    def test_a_service_has_containers_on_both_hosts_that_reach_each_other(self):
        for docker in self.dockers:
            docker("network", "create", "--config-only", "--ipam-driver", PLUGIN, "--ipam-opt", "network=shop", "--opt", "mode=overlay",
                   "--opt", "network=shop", "shop-here")
        manager = self.dockers[0]
        manager("network", "create", "--scope", "swarm", "--driver", PLUGIN, "--config-from", "shop-here", "shop")
        manager("service", "create", "--detach", "--no-resolve-image", "--name", "web", "--mode", "global", "--endpoint-mode", "dnsrr", "--network", "shop",
                "--mount", "type=volume,source=data,target=/data,volume-driver=fairlead", images.IMAGE, "answer", "web", "tcp/80")
        tasks = [eventually(lambda docker=docker: self.task(docker), "a container of the service", 90, 0.5) for docker in self.dockers]
        addresses = [docker.address(task, "shop") for docker, task in zip(self.dockers, tasks)]
        self.assertNotEqual(*addresses)
        for docker, task, other in zip(self.dockers, tasks, reversed(addresses)):
            self.assertTrue(docker.ping(task, other), f"{task} to {other}")
            self.assertTrue(docker.answers(task, other, 80))
            self.assertEqual({volume["name"] for volume in docker.host.fairlead_json("volume", "ls")}, {"data"})
        manager("service", "rm", "web")

    @staticmethod
    def task(docker):
        return docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=web", "--filter", "status=running").out.strip()


if __name__ == "__main__":
    unittest.main()
