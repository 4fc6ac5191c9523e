"""Policies and egress=deny as Docker's users meet them."""

from support.e2e.case import DockerCase
from support.e2e.host import FURTHER_V4, HOST_V4
from support.e2e.waiting import eventually


class Egress(DockerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_outside("tcp/80", "tcp/443")
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 443), "the outside server")

    def tearDown(self):
        for policy in self.host.fairlead("policy", "ls", "-q").out.split():
            self.host.fairlead("policy", "rm", policy)
        super().tearDown()

    def test_a_sandbox_reaches_what_its_network_lists(self):
        self.docker.network("builds", "-o", "egress=deny", "-o", f"egress_allow={FURTHER_V4}:443/tcp")
        self.docker.run("build", "-p", "8070:80", network="builds")
        self.docker.run("other", network="builds")
        self.assertTrue(self.docker.answers("build", FURTHER_V4, 443))
        self.assertFalse(self.docker.answers("build", FURTHER_V4, 80))
        self.assertFalse(self.docker.ping("build", FURTHER_V4, timeout=0.3))
        self.assertTrue(self.docker.answers("build", self.docker.address("other", "builds"), 80))
        self.assertTrue(self.host.outside.answers(HOST_V4, 8070))

    def test_a_container_on_two_networks_has_the_way_of_each(self):
        """What another network lets out is that network's affair: a sandbox is on one."""
        self.docker.network("cell", "-o", "egress=deny")
        self.docker.network("plain")
        self.docker.run("web", network="plain")
        self.docker.run("both", network="cell")
        self.assertFalse(self.docker.answers("both", self.docker.address("web", "plain"), 80))
        self.docker.connect("plain", "both")
        self.assertTrue(self.docker.answers("both", self.docker.address("web", "plain"), 80))

    def test_policies_between_networks_name_endpoints_by_their_ids(self):
        self.docker.network("front")
        self.docker.network("back")
        self.docker.run("web", network="front")
        self.docker.run("other", network="front")
        self.docker.run("db", network="back")
        address = self.docker.address("db", "back")
        self.assertFalse(self.docker.answers("web", address, 80))
        self.host.fairlead("policy", "allow", self.docker.attachment("web", "front")["EndpointID"][:12],
                           self.docker.attachment("db", "back")["EndpointID"], "80/tcp")
        self.assertTrue(self.docker.answers("web", address, 80))
        self.assertFalse(self.docker.answers("other", address, 80))

    def test_a_reboot_of_the_daemon_changes_nothing(self):
        self.docker.network("builds", "-o", "egress=deny", "-o", f"egress_allow={FURTHER_V4}:443/tcp")
        self.docker.run("build", network="builds")
        self.fairleadd.kill()
        self.assertTrue(self.docker.answers("build", FURTHER_V4, 443))
        self.assertFalse(self.docker.answers("build", FURTHER_V4, 80))
        self.restart_fairleadd()
        self.assertTrue(self.docker.answers("build", FURTHER_V4, 443))
        self.assertFalse(self.docker.answers("build", FURTHER_V4, 80))
        self.assertEqual([], self.host.fairlead_json("status")["problems"])

    def test_what_would_not_hold_is_refused(self):
        said = self.docker.fails("network", "create", "-d", "fairlead", "--ipam-driver", "fairlead", "-o", "egress=deny",
                                 "-o", "egress_allow=*.debian.org", "wild")
        self.assertIn("name each host", str(said))
