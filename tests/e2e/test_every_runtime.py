"""Docker, Podman, containerd and a runtime of one's own at once: one network, one volume, names and addresses of all in all."""

import contextlib
import random

from support.e2e import cni, newer_docker, newer_podman
from support.e2e.containerd import Containerd
from support.e2e.host import OUTSIDE_V4
from support.e2e.name_server import NameServer
from support.e2e.newer_podman import NewerPodman
from support.e2e.podman import Podman
from support.e2e.waiting import eventually
from support.e2e import names
from test_join import JoinCase, join

GATEWAY = "10.79.0.1"


class EveryRuntime(JoinCase):
    """Docker 20.10, and Podman 4.3 by CNI."""

    together = "every runtime"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = NameServer(cls.host.outside, OUTSIDE_V4)
        cls.addClassCleanup(server.close)
        server.names["www.example.org"] = ["192.0.2.80"]
        cls.host.write("/etc/resolv.conf", f"nameserver {OUTSIDE_V4}\n")
        cni.install_fairlead(cls.host)
        cls.containerd = Containerd(cls.host).start().load_image()
        cls.host.exec("mkdir", "-p", "/var/lib/cni/results")
        cls.podman = cls.make_podman().load_image()

    @classmethod
    def make_podman(cls):
        return Podman(cls.host)

    def use_network_in_podman(self):
        """What it is called there."""
        self.podman.use_network(cni.fairlead_conflist("of-podman", network="shop"))
        return "of-podman"

    def tearDown(self):
        self.podman("rm", "--all", "--force", "--time", "0")
        super().tearDown()

    # ---- a container of each runtime: how it is asked, its addresses, and how it goes

    def run_docker(self):
        join(self.docker, "shop")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker.run("of-docker", "--volume", "data:/data", network="shop")

        def leave():
            self.docker.remove("of-docker")
            self.docker.remove_network("shop")
        return self.docker.net, lambda *command: self.docker.exec("of-docker", *command).out, leave

    def run_podman(self):
        network = self.use_network_in_podman()
        self.podman("volume", "create", "--driver", "fairlead", "data")
        self.podman.run("of-podman", "--volume", "data:/data", network=network)

        def leave():
            self.podman.remove("of-podman")
            self.leave_podman(network)
        return self.podman.net, lambda *command: self.podman("exec", "of-podman", *command).out, leave

    def leave_podman(self, network):
        self.host.path(f"{cni.CONFIG_FOLDER}/{network}.conflist").unlink()

    def run_containerd(self, volume):
        self.containerd.use_network(cni.fairlead_conflist("of-containerd", network="shop"))
        ctr = self.containerd.run_background("of-containerd", "tcp/80",
                                             options=("--mount", f"type=bind,src={volume},dst=/data,options=rbind:rw"))
        with self.containerd.net("of-containerd") as net:
            eventually(lambda: net.answers("127.0.0.1", 80, "tcp"), "containerd's container to serve")

        def leave():
            self.containerd.kill("of-containerd")
            ctr.wait(20)
        return self.containerd.net, lambda *command: self.containerd.exec("of-containerd", *command), leave

    def run_own(self, volume):
        """A runtime of one's own: a namespace and the API."""
        self.others.by_api("of-api", "shop")

        def run(*command):
            script = " ".join(command[2:]).replace("/data/", f"{volume}/") if command[:2] == ("sh", "-c") else None
            return self.host.exec("sh", "-c", script or " ".join(command).replace("/data/", f"{volume}/"), namespace="of-api").out
        return self.others.net, run, lambda: self.others.off_by_api("of-api", "shop")

    def addresses_of(self, name):
        endpoint = next(each for each in self.host.endpoints()
                        if name in (each["container"], each["container"].removeprefix("default-"), each.get("names", {}).get("name")))
        return endpoint["addresses"][0].split("/")[0]

    # ---- the test

    def test_each_reaches_each_by_name_and_address_all_write_one_volume_and_nothing_is_left(self):
        seed = random.randrange(1 << 30)
        with self.leaving_nothing(), self.subTest(seed=seed):
            self.host.fairlead("network", "create", "--subnet", "10.79.0.0/24", "shop")
            self.host.fairlead("volume", "create", "data")
            mounted = self.others.call("POST", "/v1/volumes/data/mount", {"id": "own"})["state"]["mountpoint"]
            runtimes = {"of-docker": self.run_docker(), "of-containerd": self.run_containerd(mounted)}
            runtimes["of-podman"] = self.run_podman()
            runtimes["of-api"] = self.run_own(mounted)
            eventually(lambda: self.addresses_of("of-docker"), "Docker's name to be known")
            addresses = {name: self.addresses_of(name) for name in runtimes}
            self.assertEqual(len(runtimes), len(set(addresses.values())))
            with contextlib.ExitStack() as stack:
                nets = {name: stack.enter_context(net(name)) for name, (net, _, _) in runtimes.items()}
                self.assert_all_reach_all(nets, {name: [address] for name, address in addresses.items()})
                for asker, net in nets.items():
                    for name, address in addresses.items():
                        for asked in (name, f"{name}.shop"):
                            eventually(lambda net=net, asked=asked, address=address:
                                       names.addresses(net, GATEWAY, asked) == [address], f"{asked} in {asker}")
            for asker in ("of-docker", "of-podman"):  # by the servers that their runtimes have given them
                for name, address in addresses.items():
                    if name != asker:
                        self.assertIn(address, self.resolved(runtimes[asker][1], name), f"{name} in {asker}")
                self.assertIn("192.0.2.80", self.resolved(runtimes[asker][1], "www.example.org"))
            for name, (_, run, _) in runtimes.items():
                run("sh", "-c", f"echo {name} > /data/{name}")
            for name, (_, run, _) in runtimes.items():
                for other in runtimes:
                    self.assertEqual(other, run("cat", f"/data/{other}").strip(), f"{other} in {name}")
            leave = [leave for _, _, leave in runtimes.values()]
            random.Random(seed).shuffle(leave)
            for each in leave:
                each()
            self.others.call("POST", "/v1/volumes/data/unmount", {"id": "own"})
            self.others.remove_all()
            self.podman("volume", "rm", "data")
            self.docker("volume", "rm", "data", check=False)  # it is gone with Podman's
            eventually(lambda: self.host.fairlead("network", "rm", "shop", check=False).code == 0, "nobody to be on it")
            self.host.path(f"{cni.CONFIG_FOLDER}/10-of-containerd.conflist").unlink()

    @staticmethod
    def resolved(run, name):
        return [line.split()[-1] for line in run("nslookup", name).splitlines() if line.startswith("Address")]


class WithPodmansPlugin(EveryRuntime):
    """Docker 26, and Podman 5.4 with netavark, whose plugin Fairlead is."""

    drop_in = False

    @classmethod
    def setUpClass(cls):
        newer_docker.require("trixie")
        newer_podman.require()
        super().setUpClass()

    @classmethod
    def make_docker(cls):
        return newer_docker.NewerDocker(cls.host, "trixie")

    @classmethod
    def make_podman(cls):
        return NewerPodman(cls.host, cls.drop_in)

    def use_network_in_podman(self):
        self.podman("network", "create", "--driver", "fairlead", "--opt", "network=shop", "shop")
        return "shop"

    def leave_podman(self, network):
        self.podman("network", "rm", network)


class InNetavarksPlace(WithPodmansPlugin):
    """The same without netavark."""

    drop_in = True
