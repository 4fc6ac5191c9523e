"""What happens to running containers when they, dockerd or fairleadd are restarted, killed or moved."""

import threading
import time

from support.e2e import images, newer_docker
from support.e2e.case import DockerCase
from support.e2e.docker import IPAM_DRIVER, NETWORK_DRIVER, stand_in
from support.e2e.host import FURTHER_V4, HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6
from support.e2e.waiting import eventually


class Containers(DockerCase):
    def test_a_restarted_container_has_its_port_and_its_way_out_again(self):
        self.docker.network("net")
        with self.leaving_nothing():
            self.docker.run("web", "--publish", "8080:80", network="net")
            for _ in range(3):
                self.docker("restart", "--time", "1", "web")
                self.docker.wait_serving("web")
                self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
                self.assertTrue(self.docker.ping("web", FURTHER_V4))
            self.docker.remove("web")

    def test_a_container_removed_by_force_leaves_nothing(self):
        self.docker.network("net", "--ipv6", "--subnet", "10.40.0.0/24", "--subnet", "fd00:40::/64")
        with self.leaving_nothing():
            self.docker.run("web", "--publish", "8080:80", "--publish", "5353:53/udp", network="net")
            self.docker.remove("web")

    def test_an_address_is_free_again_after_its_container(self):
        self.docker.network("net", "--subnet", "10.40.0.0/24")
        for number in range(3):
            self.docker.run(f"web{number}", "--ip", "10.40.0.7", network="net")
            self.assertEqual(f"web{number}", self.host.net.ask("10.40.0.7", 80).name)
            self.docker.remove(f"web{number}")

    def test_a_network_in_use_is_not_removed(self):
        self.docker.network("net")
        self.docker.run("web", network="net")
        self.assertIn("active endpoints", self.docker.fails("network", "rm", "net"))
        self.assertTrue(self.docker.ping("web", FURTHER_V4))

    def test_what_docker_made_is_not_removed_behind_its_back_unless_by_force(self):
        self.docker.network("net")
        self.docker.run("web", network="net")
        eventually(lambda: "names" in self.host.endpoints()[0], "Docker's names")
        endpoint = self.host.endpoints()[0]
        name = endpoint["network"]
        said = self.host.fairlead("endpoint", "rm", f"{name}/{endpoint['id']}", check=False)
        self.assertNotEqual(0, said.code)
        self.assertIn("docker network disconnect -f net web", said.err)
        self.assertTrue(self.docker.ping("web", FURTHER_V4))
        self.docker("network", "disconnect", "-f", "net", "web")  # as it was told
        self.docker.remove("web")
        said = self.host.fairlead("network", "rm", name, check=False)
        self.assertNotEqual(0, said.code)
        self.assertIn("docker network rm net", said.err)
        self.docker.run("web", network="net")  # it works as before
        said = self.host.fairlead("port", "ls", "--network", "nosuch", check=False)
        self.assertEqual((1, ""), (said.code, said.out))
        self.assertIn("nosuch", said.err)
        self.docker.remove("web")
        self.host.fairlead("network", "rm", "-f", name)
        self.docker("network", "rm", "net")

    def test_connect_and_disconnect_move_the_gateway_and_the_ports(self):
        self.docker.network("zz-first", "--subnet", "10.41.0.0/24")
        self.docker.network("aa-second", "--subnet", "10.42.0.0/24")
        self.docker.run("web", "--publish", "8080:80", network="zz-first")
        with self.leaving_nothing():
            self.docker.connect("aa-second", "web")
            self.assertEqual({"eth0", "eth1"}, set(self.docker.links("web")))
            self.assert_reached_by_way_of("10.42.0.1")
            self.docker.disconnect("aa-second", "web")
            self.assertEqual({"eth0"}, set(self.docker.links("web")))
            self.assert_reached_by_way_of("10.41.0.1")

    def test_the_network_a_container_began_with_may_be_disconnected(self):
        self.docker.network("first", "--subnet", "10.41.0.0/24")
        self.docker.network("second", "--subnet", "10.42.0.0/24")
        self.docker.run("web", "--publish", "8080:80", network="first")
        self.docker.connect("second", "web", "--alias", "api", "--ip", "10.42.0.42")
        self.docker.disconnect("first", "web")
        self.assert_reached_by_way_of("10.42.0.1")
        self.docker.run("client", network="second")
        self.assertEqual({"10.42.0.42"}, self.docker.resolves("client", "api"))

    def assert_reached_by_way_of(self, gateway):
        self.assertEqual(gateway, self.docker.default_route("web"))
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertTrue(self.docker.ping("web", FURTHER_V4))


class GatewayPriority(DockerCase):
    """`--gw-priority` of Docker 28: the network with the highest one has the default route, and the published ports with it."""

    @classmethod
    def setUpClass(cls):
        newer_docker.require("sid")
        super().setUpClass()

    @classmethod
    def make_docker(cls):
        return newer_docker.NewerDocker(cls.host, "sid")

    def make_networks(self, driver, ipam):
        self.gateways = {}
        for number, name in enumerate(("low", "middle", "high"), 1):
            subnets = ("--ipv6", "--subnet", f"10.8{number}.0.0/24", "--subnet", f"fd00:8{number}::/64")
            self.docker.network(name, *subnets, driver=driver, ipam=ipam)
            self.gateways[name] = (f"10.8{number}.0.1", f"fd00:8{number}::1")

    def assert_leads_out_by(self, name):
        gateways = tuple(self.docker.default_route("web", family) for family in ("-4", "-6"))
        self.assertEqual(self.gateways[name], gateways)
        for place in (OUTSIDE_V4, OUTSIDE_V6):
            self.assertTrue(self.docker.ping("web", place), place)
        for place in (HOST_V4, HOST_V6):
            eventually(lambda place=place: self.host.outside.ask(place, 8080).name == "web", f"the port at {place}")

    def go_through(self, driver, ipam):
        self.make_networks(driver, ipam)
        self.docker.run("web", "--network", "name=low,gw-priority=1", "--network", "name=middle,gw-priority=5", "--publish", "8080:80")
        self.assert_leads_out_by("middle")
        self.docker.connect("high", "web", "--gw-priority", "50")
        self.assert_leads_out_by("high")
        self.docker.disconnect("high", "web")
        self.assert_leads_out_by("middle")
        self.docker.disconnect("middle", "web")
        self.assert_leads_out_by("low")
        self.docker.connect("middle", "web", "--gw-priority", "-5")
        self.assert_leads_out_by("low")
        self.docker("restart", "--time", "0", "web")
        self.docker.wait_serving("web")
        self.assert_leads_out_by("low")
        self.docker.disconnect("low", "web")
        self.assert_leads_out_by("middle")

    def test_the_highest_one_leads_out(self):
        with self.leaving_nothing():
            self.go_through(NETWORK_DRIVER, IPAM_DRIVER)
            self.docker.remove_everything()

    def test_the_control_is_dockers_own_driver(self):
        self.go_through("bridge", "default")


class FairleaddKilled(DockerCase):
    needs_fairlead = True

    def setUp(self):
        super().setUp()
        self.docker.network("net", "--subnet", "10.43.0.0/24")
        self.docker.run("web", "--publish", "8080:80", "--publish", "5353:53/udp", network="net",
                        serve=("tcp/80", "udp/53"))

    def test_running_containers_keep_their_traffic_while_it_is_down(self):
        with self.host.outside.connect(HOST_V4, 8080) as open_connection:
            open_connection.recv(512)
            self.fairleadd.kill()
            open_connection.send(b"still there\n")
            self.assertEqual(b"still there\n", open_connection.recv(512))
            self.assert_web_works()
            self.restart_fairleadd()
            open_connection.send(b"and now\n")
            self.assertEqual(b"and now\n", open_connection.recv(512))
        self.assert_web_works()

    def test_nothing_is_lost_and_nothing_leaks(self):
        with self.leaving_nothing():
            records = self.host.fairlead_json("endpoint", "ls")
            self.fairleadd.kill()
            self.restart_fairleadd()
            self.assertEqual(records, self.host.fairlead_json("endpoint", "ls"))
            self.docker.run("second", "--publish", "8081:80", network="net")
            self.assertEqual("second", self.host.outside.ask(HOST_V4, 8081).name)
            self.docker.remove("second")

    def test_what_was_made_before_is_removed_after(self):
        self.docker.remove("web")
        with self.leaving_nothing():
            self.docker.network("other")
            self.docker.run("web2", "--publish", "8090:80", network="other")
            self.fairleadd.kill()
            self.restart_fairleadd()
            self.docker.remove("web2")
            self.docker.remove_network("other")

    def test_a_removal_that_began_while_it_was_down_is_done_when_it_is_back(self):
        self.docker.remove("web")
        with self.leaving_nothing():
            self.docker.run("web2", "--publish", "8090:80", network="net")
            self.fairleadd.kill()
            removal = threading.Thread(target=self.docker.remove, args=("web2",))
            removal.start()
            time.sleep(0.3)  # dockerd's first try fails: it goes on trying, a second later
            self.restart_fairleadd()
            removal.join(60)
            self.assertFalse(self.host.outside.answers(HOST_V4, 8090, timeout=0.3))

    def test_a_clean_stop_changes_nothing_for_containers(self):
        self.assertEqual(0, self.fairleadd.stop())
        self.assert_web_works()
        self.restart_fairleadd()
        self.assert_web_works()

    def assert_web_works(self):
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 5353, "udp").name)
        self.assertEqual("web", self.host.net.ask("127.0.0.1", 8080).name)
        self.assertTrue(self.docker.ping("web", FURTHER_V4))


class AddressCase(DockerCase):
    """A network whose addresses must all be free in the end: for some of them that takes a minute."""

    waits = True

    def setUp(self):
        super().setUp()
        self.docker.network("net", "--ipv6", "--subnet", "10.46.0.0/24", "--subnet", "fd00:46::/64")
        self.leases = self.status()["leases"]

    def status(self):
        return self.host.fairlead_json("status")

    def all_is_free(self):
        """After a reconcile, as fairleadd makes it by itself every minute."""
        self.host.fairlead("reconcile")
        status = self.status()
        return status["leases"] == self.leases and not status["problems"]


class FairleaddAway(AddressCase):
    """Containers that go while fairleadd is down."""

    def test_addresses_of_containers_that_went_meanwhile_are_free_again(self):
        fixed = ("--ip", "10.46.0.50", "--ip6", "fd00:46::50")
        self.docker.run("fixed", *fixed, network="net")
        self.docker.run("any", "--publish", "8080:80", network="net")
        self.fairleadd.kill()
        self.docker.remove("fixed", "any")
        self.restart_fairleadd()
        eventually(self.all_is_free, "the addresses to be free", 150, 1)
        self.assertEqual([], self.host.endpoints())
        self.docker.run("again", *fixed, "--publish", "8080:80", network="net")
        self.docker.remove("again")
        self.assertTrue(self.all_is_free())

    def test_both_daemons_killed_and_nothing_is_left_of_the_containers(self):
        self.docker.run("web", "--ip", "10.46.0.70", "--ip6", "fd00:46::70", "--publish", "8080:80", network="net")
        self.fairleadd.kill()
        self.docker.kill()
        self.restart_fairleadd()
        self.docker.start()
        self.docker("restart", "--time", "1", "web")
        self.docker.wait_serving("web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.docker.remove("web")
        eventually(self.all_is_free, "the addresses to be free", 150, 1)


class AnAddressForNothing(AddressCase):
    """fairleadd dies while it gives out an address."""

    def test_an_address_that_was_given_out_for_nothing_is_free_again(self):
        self.fairleadd.kill()
        type(self).fairleadd = self.host.start_fairleadd(env={"FAIRLEAD_FAULT": "pool.address.leased"})
        said = self.docker.fails("run", "--detach", "--name", "web", "--network", "net", "--ip", "10.46.0.60",
                                 images.IMAGE, "answer", "web", "tcp/80")
        self.assertIn("RequestAddress", said)
        self.restart_fairleadd()
        self.docker.remove("web")
        eventually(self.all_is_free, "the address to be free", 150, 1)
        self.docker.run("web", "--ip", "10.46.0.60", network="net")


class DockerdKilled(DockerCase):
    def test_its_containers_start_again_and_nothing_is_left_of_the_old_ones(self):
        self.docker.network("net", "--subnet", "10.44.0.0/24")
        self.docker.run("once", network="net")
        self.docker.remove("once")
        with self.leaving_nothing():
            self.docker.run("web", "--publish", "8080:80", "--ip", "10.44.0.9", network="net")
            self.docker.run("other", "--restart", "always", network="net")
            self.docker.kill()
            self.docker.start()
            eventually(lambda: self.docker.inspect("container", "other")["State"]["Running"], "restart", 20)
            self.docker("restart", "--time", "1", "web")
            self.docker.wait_serving("web")
            self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
            self.docker.run("third", network="net")
            self.docker.wait_serving("other")
            for name in ("other", "third"):
                self.assertEqual("web", self.docker.ask(name, "10.44.0.9", 80).name)
            self.docker.remove("web", "other", "third")

    def test_its_networks_are_there_and_can_be_removed(self):
        self.docker.network("stays")
        self.docker.remove_network("stays")
        with self.leaving_nothing():
            self.docker.network("net")
            self.docker.run("web", "--publish", "8080:80", network="net")
            self.docker.kill()
            self.docker.start()
            self.docker.remove("web")
            self.docker.remove_network("net")

    def test_a_clean_restart_keeps_networks_and_frees_ports(self):
        self.docker.network("net")
        self.docker.run("web", "--publish", "8080:80", network="net")
        self.docker.stop()
        self.docker.start()
        self.docker.run("second", "--publish", "8080:80", network="net")
        self.assertEqual("second", self.host.outside.ask(HOST_V4, 8080).name)


class DockerdKilledWithLiveRestore(DockerCase):
    live_restore = True

    def test_containers_keep_their_traffic_and_are_removed_afterwards(self):
        self.docker.network("net")
        self.docker.run("first", network="net")
        self.docker.remove("first")
        with self.leaving_nothing():
            self.docker.run("web", "--publish", "8080:80", network="net")
            with self.host.outside.connect(HOST_V4, 8080) as open_connection:
                open_connection.recv(512)
                self.docker.kill()
                if not stand_in():  # Docker's own proxy has gone, and its rules are made anew
                    self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
                self.docker.start()
                open_connection.send(b"still there\n")
                self.assertEqual(b"still there\n", open_connection.recv(512))
            self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
            self.assertTrue(self.docker.ping("web", FURTHER_V4))
            self.docker("restart", "--time", "1", "web")
            self.docker.wait_serving("web")
            self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
            self.docker.remove("web")
