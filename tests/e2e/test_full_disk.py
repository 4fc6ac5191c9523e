"""The disk below state and volumes is full: what is there is released and removed by every door, and a restart works."""

import contextlib
import os

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase, PluginCalls
from support.e2e.waiting import eventually

STATE = "/var/lib/fairlead"
POOL = "10.61.0.0/24"
NETWORK = "c" * 64


class FullDisk(PluginCalls, CniCalls, FairleadCase):
    @classmethod
    def setUpClass(cls):
        super(FairleadCase, cls).setUpClass()
        cls.host.exec("truncate", "-s", "64M", "/run/host/disk.img")
        cls.host.exec("mkfs.ext4", "-q", "-m", "0", "/run/host/disk.img")
        cls.host.exec("mkdir", "-p", STATE)
        cls.host.exec("mount", "-o", "loop", "/run/host/disk.img", STATE)
        cls.fairleadd = cls.host.start_fairleadd()
        cni.install_fairlead(cls.host)

    # ---- verbs ----------------------------------------------------------------------------------------------------

    def refused(self, verb, **body):
        answer = self.call(verb, **body)
        self.assertRegex(answer.get("Err") or answer.get("Error") or "", "disk is full|No space left", f"{verb}: {answer}")

    def docker_network(self):
        pool = self.done("IpamDriver.RequestPool", AddressSpace="fairlead-local", Pool=POOL, SubPool="", Options={}, V6=False)
        gateway = self.done("IpamDriver.RequestAddress", PoolID=pool["PoolID"], Address="",
                            Options={"RequestAddressType": "com.docker.network.gateway"})
        self.done("NetworkDriver.CreateNetwork", NetworkID=NETWORK, IPv6Data=[], Options={},
                  IPv4Data=[{"AddressSpace": "fairlead-local", "Gateway": gateway["Address"], "Pool": POOL}])
        return pool["PoolID"]

    def docker_endpoint(self, pool, letter):
        address = self.done("IpamDriver.RequestAddress", PoolID=pool, Address="", Options={})["Address"]
        names = {"NetworkID": NETWORK, "EndpointID": letter * 64}
        self.done("NetworkDriver.CreateEndpoint", **names, Options={}, Interface={"Address": address})
        self.done("NetworkDriver.Join", **names, SandboxKey="/var/run/docker/netns/x", Options={})
        return address.split("/")[0]

    def release_endpoint(self, pool, letter, address):
        names = {"NetworkID": NETWORK, "EndpointID": letter * 64}
        self.done("NetworkDriver.Leave", **names)
        self.done("NetworkDriver.DeleteEndpoint", **names)
        self.done("IpamDriver.ReleaseAddress", PoolID=pool, Address=address)

    def fill(self):
        """As a container does that writes into its volume."""
        self.done("VolumeDriver.Create", Name="full", Opts={})
        folder = self.mounted("full", "writer")
        for _ in range(3):
            with open(folder / "data", "ab", buffering=0) as file, contextlib.suppress(OSError):
                for size in (1 << 20, 1 << 12, 1):
                    with contextlib.suppress(OSError):
                        while file.write(b"x" * size):
                            pass
                os.fsync(file.fileno())

    def assert_nothing_left(self):
        self.assertEqual([], self.host.networks() + self.host.endpoints() + self.host.volumes())
        vol, trash = (self.host.path(f"{STATE}/volumes/{part}") for part in ("vol", "trash"))
        eventually(lambda: not any(vol.iterdir()) and not any(trash.iterdir()), "the data to be gone")

    # ---- tests ----------------------------------------------------------------------------------------------------

    def test_docker_and_cni_release_what_they_have(self):
        for round_ in range(3):
            with self.subTest(round_):
                pool = self.docker_network()
                address = self.docker_endpoint(pool, "e")
                self.containers.make("one")
                network = cni.Network(self.host, cni.fairlead_conflist("net", "10.62.0.0/24"))
                network.add("one", ports=[(8080, 80)])
                self.done("VolumeDriver.Create", Name="data", Opts={})
                self.done("VolumeDriver.Create", Name="image", Opts={"size": "16m"})
                self.done("VolumeDriver.Mount", Name="image", ID="a")
                self.fill()
                self.refused("VolumeDriver.Create", Name="new", Opts={})
                if round_ == 1:
                    self.fairleadd.stop()
                    self.restart_fairleadd()
                if round_ == 2:
                    self.fairleadd.kill()
                    self.restart_fairleadd()
                self.done("VolumeDriver.Mount", Name="data", ID="b")
                for name, user in (("image", "a"), ("data", "b"), ("full", "writer")):
                    self.done("VolumeDriver.Unmount", Name=name, ID=user)
                self.release_endpoint(pool, "e", address)
                network.delete("one")
                self.host.fairlead("network", "rm", "net")
                self.done("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
                self.done("IpamDriver.ReleasePool", PoolID=pool)
                for name in ("data", "image", "full"):
                    self.done("VolumeDriver.Remove", Name=name)
                self.containers.remove_all()
                self.assert_nothing_left()

    def test_what_adds_is_refused_and_leaves_nothing(self):
        pool = self.docker_network()
        self.fill()
        added = []
        refusal = None
        while not refusal and len(added) < 200:  # until what is left of the log is used up
            address = self.call("IpamDriver.RequestAddress", PoolID=pool, Address="", Options={})
            refusal = address.get("Err") or address.get("Error")
            if not refusal:
                added.append(address["Address"].split("/")[0])
        self.assertRegex(refusal or "", "disk is full")
        self.containers.make("one")
        with self.assertRaisesRegex(cni.CniError, "disk is full"):
            cni.Network(self.host, cni.fairlead_conflist("net", "10.62.0.0/24")).add("one")
        self.assertEqual([NETWORK], [network["id"] for network in self.host.networks()])
        self.assertEqual([], self.host.endpoints())
        for address in added:
            self.done("IpamDriver.ReleaseAddress", PoolID=pool, Address=address)
        self.done("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
        self.done("IpamDriver.ReleasePool", PoolID=pool)
        self.done("VolumeDriver.Unmount", Name="full", ID="writer")
        for volume in self.host.volumes():
            self.done("VolumeDriver.Remove", Name=volume["name"])
        self.assert_nothing_left()
