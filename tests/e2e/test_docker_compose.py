"""Docker Compose, each version with a dockerd of its time, with files whose only change is `driver: fairlead`."""

import unittest

from support.e2e import newer_docker
from support.e2e.case import DockerCase
from support.e2e.docker import IPAM_DRIVER, NETWORK_DRIVER, VOLUME_DRIVER
from support.e2e.host import HOST_V4
from support.e2e.waiting import eventually

FILE = f"""version: "3.8"
services:
  web:
    image: fairlead-e2e:1
    command: answer web tcp/80
    ports: ["8080:80"]
    networks: {{shop: {{aliases: [frontend]}}}}
    volumes: ["pages:/data"]
  worker:
    image: fairlead-e2e:1
    command: answer worker tcp/80
    networks: [shop]
    volumes: ["pages:/data"]
    depends_on: [web]
networks:
  shop:
    driver: {NETWORK_DRIVER}
volumes:
  pages:
    driver: {VOLUME_DRIVER}
"""


class TwoServices:
    """With each version of Compose: mixed in below."""

    def setUp(self):
        super().setUp()
        self.host.write("/run/host/project/docker-compose.yml", FILE)

    def compose(self, *arguments):
        return self.docker.compose("/run/host/project", *arguments)

    def test_up_and_down(self):
        with self.leaving_nothing():
            self.compose("up", "--detach")
            eventually(lambda: self.host.outside.ask(HOST_V4, 8080).name == "web", "the web service")
            web = self.docker.address(self.container("project", "web", 1), "project_shop")
            for name in ("web", "frontend", self.container("project", "web", 1)):
                self.assertEqual({web}, self.docker.resolves(self.container("project", "worker", 1), name))
            self.assertEqual("web", self.docker.ask(self.container("project", "worker", 1), web, 80).name)
            self.docker.exec(self.container("project", "web", 1), "sh", "-c", "echo shared > /data/page")
            self.assertEqual("shared\n", self.docker.exec(self.container("project", "worker", 1), "cat", "/data/page").out)
            self.compose("down", "--volumes", "--timeout", "1")

    def test_up_again_keeps_the_volume_and_scales(self):
        self.compose("up", "--detach")
        self.docker.exec(self.container("project", "web", 1), "sh", "-c", "echo kept > /data/page")
        self.compose("down", "--timeout", "1")
        self.compose("up", "--detach", "--scale", "worker=3")
        self.assertEqual("kept\n", self.docker.exec(self.container("project", "worker", 3), "cat", "/data/page").out)
        eventually(lambda: self.host.outside.ask(HOST_V4, 8080).name == "web", "the web service")
        self.compose("down", "--volumes", "--timeout", "1")


def project(subnet="10.61.0.0/24", mtu="1400"):
    """Two networks of its own, one of them behind a published port, and one that others use as well."""
    return f"""version: "3.8"
services:
  web:
    image: fairlead-e2e:1
    command: answer web tcp/80
    ports: ["8080:80"]
    networks:
      front: {{aliases: [entrance]}}
      back: {{aliases: [inside]}}
      shared: {{}}
  worker:
    image: fairlead-e2e:1
    command: answer worker tcp/80
    networks: [back]
networks:
  front:
    driver: {NETWORK_DRIVER}
    driver_opts: {{com.docker.network.driver.mtu: "{mtu}"}}
  back:
    driver: {NETWORK_DRIVER}
    ipam: {{driver: {IPAM_DRIVER}, config: [{{subnet: {subnet}}}]}}
  shared:
    external: true
    name: shared
"""


OTHER = """version: "3.8"
services:
  guest:
    image: fairlead-e2e:1
    command: answer guest tcp/80
    networks: [shared]
networks:
  shared:
    external: true
    name: shared
"""


class OverTime:
    """Projects that are brought up again, changed and taken down beside others."""

    def setUp(self):
        super().setUp()
        self.docker.network("shared")
        self.write("one", project())
        self.write("two", OTHER)

    def write(self, name, text):
        self.host.write(f"/run/host/{name}/docker-compose.yml", text)

    def compose(self, name, *arguments, check=True):
        return self.docker.compose(f"/run/host/{name}", *arguments, check=check)

    def up(self, name="one"):
        self.compose(name, "up", "--detach")

    def down(self, name="one"):
        self.compose(name, "down", "--timeout", "1")

    def await_web(self):
        eventually(lambda: self.host.outside.ask(HOST_V4, 8080).name == "web", "the web service")

    def endpoints(self):
        """By id; what is found out about a container a moment later is no change."""
        return {endpoint["id"]: (endpoint["network"], endpoint["addresses"], endpoint["mac"])
                for endpoint in self.host.endpoints()}

    def test_up_twice_changes_nothing(self):
        self.up()
        self.await_web()
        endpoints, containers = self.endpoints(), self.docker("ps", "--quiet", "--no-trunc").out
        self.up()
        self.assertEqual(containers, self.docker("ps", "--quiet", "--no-trunc").out)
        self.assertEqual(endpoints, self.endpoints())
        self.down()

    def test_a_changed_subnet_or_option_makes_the_network_anew(self):
        with self.leaving_nothing():
            for changed in (project(subnet="10.62.0.0/24"), project(mtu="1300")):
                self.write("one", project())
                self.up()
                self.write("one", changed)
                refused = self.compose("one", "up", "--detach", check=False)
                if refused.code != 0:  # Compose 1 wants the network to be removed first
                    self.assertIn("needs to be recreated", refused.err)
                self.await_web()
                if self.makes_networks_anew:
                    self.assert_is_as_in(changed)
                self.down()
                self.up()
                self.await_web()
                self.assertEqual("web", self.docker.ask(self.container("one", "worker", 1), self.docker.address(self.container("one", "web", 1), "one_back"),
                                                        80).name)
                self.assert_is_as_in(changed)
                self.down()

    def assert_is_as_in(self, text):
        subnets = {subnet["subnet"] for network in self.host.networks() for subnet in network["subnets"]}
        self.assertEqual("10.62" in text, "10.62.0.0/24" in subnets)
        self.assertEqual("10.62" in text, "10.61.0.0/24" not in subnets)
        mtus = {network["options"].get("mtu") for network in self.host.networks()}
        self.assertIn("1300" if "1300" in text else "1400", mtus)

    def test_aliases_and_ports_on_several_networks_stay_over_restarts(self):
        self.up()
        for again in (("restart", "--timeout", "0"), ("up", "--detach", "--force-recreate", "--timeout", "0"),
                      ("stop", "--timeout", "0"), ("start",)):
            self.compose("one", *again)
            if again[0] == "stop":
                continue
            self.await_web()
            address = self.docker.address(self.container("one", "web", 1), "one_back")
            for name in ("web", "inside"):
                eventually(lambda name=name, address=address:
                           self.docker.resolves(self.container("one", "worker", 1), name) == {address}, f"{name} after {again[0]}")
        self.assertEqual(4, len(self.host.endpoints()))
        self.assertEqual(1, len(self.host.ports()))
        self.down()

    def test_the_end_of_one_project_leaves_a_shared_network_whole(self):
        self.up("one")
        self.up("two")
        self.await_web()
        guest = self.docker.address(self.container("two", "guest", 1), "shared")
        self.down("one")
        self.docker.run("late", network="shared")
        self.assertEqual("guest", self.docker.ask("late", guest, 80).name)
        self.assertEqual({guest}, self.docker.resolves("late", "guest"))
        self.down("two")
        self.assertEqual("shared", self.docker.inspect("network", "shared")["Name"])
        self.assertEqual(["late"], [endpoint["names"]["name"] for endpoint in self.host.endpoints()
                                    if "names" in endpoint])


class Versions:
    """What differs between versions of Compose."""

    between = "-"  # the parts of a container's name
    makes_networks_anew = False  # at `up`, when the file has changed

    def container(self, project, service, number=1):
        return self.between.join((project, service, str(number)))


class Compose1(Versions):
    between = "_"


class Compose26(newer_docker.OfASuite, Versions):
    suite = "trixie"  # Compose 2.26, Docker 26.1


class Compose40(newer_docker.OfASuite, Versions):
    suite = "sid"  # Compose 2.40 or newer, Docker 28.5 or newer
    makes_networks_anew = True


class TwoServicesWithCompose1(TwoServices, Compose1, DockerCase):
    pass


class TwoServicesWithCompose26(TwoServices, Compose26, DockerCase):
    pass


class TwoServicesWithCompose40(TwoServices, Compose40, DockerCase):
    pass


class OverTimeWithCompose1(OverTime, Compose1, DockerCase):
    pass


class OverTimeWithCompose26(OverTime, Compose26, DockerCase):
    pass


if __name__ == "__main__":
    unittest.main()
