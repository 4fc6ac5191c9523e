"""After everything is removed, everything is as before: rules, links, addresses, mounts, files."""

from support.e2e.case import HostCase
from support.e2e.docker import Docker
from support.e2e.host import HOST_V4
from support.e2e.snapshot import Snapshot


class Clean(HostCase):
    def test_networks_ports_and_volumes_come_and_go_without_a_trace(self):
        docker = Docker(self.host).start().load_image()
        before = Snapshot(self.host)
        fairleadd = self.host.start_fairleadd()
        docker.network("plain")
        docker.network("both", "--ipv6", "--subnet", "10.60.0.0/24", "--subnet", "fd00:60::/64", "--ip-range",
                       "10.60.0.128/25", "--aux-address", "a=10.60.0.130")
        docker.network("inner", "--internal")
        docker.network("docker-ipam", ipam="default")
        docker.volume("data", "--opt", "uid=7")
        docker.run("one", "--publish", "8080:80", "--publish", "5353:53/udp", "--volume", "data:/seed", network="both")
        docker.run("two", "--publish", "127.0.0.1:9000-9002:9000-9002/udp", "--volume", "data:/data", network="plain",
                   serve=("tcp/80", "udp/9000-9002"))
        docker.run("three", "--publish-all", network="docker-ipam")
        docker.run("four", network="inner")
        docker.connect("inner", "one")
        docker.connect("plain", "three")
        self.assertEqual("one", self.host.outside.ask(HOST_V4, 8080).name)
        docker.remove("one", "two", "three", "four")
        docker.remove_network("plain", "both", "inner", "docker-ipam")
        docker("volume", "rm", "data")
        self.assertEqual(0, fairleadd.stop())
        self.assert_as_before(before)
