"""One configuration for all executables, and two instances on one host."""

import json

from support.e2e import cni
from support.e2e.case import HostCase
from support.e2e.host import API_SOCKET, bin_folder
from support.e2e.snapshot import without_questions

FIRST = {"run_dir": "/run/elsewhere", "state_dir": "/var/lib/fairlead/elsewhere", "volume_dir": "/var/lib/fairlead/data"}
SECOND = {"run_dir": "/run/second", "state_dir": "/var/lib/fairlead/second", "volume_dir": "/var/lib/fairlead/data2",
          "plugin_dir": "/run/second-plugins"}
SECOND_FILE = "/etc/fairlead/second.json"


class OneConfiguration(HostCase):
    def setUp(self):
        super().setUp()
        cni.install_fairlead(self.host)
        self.host.write("/etc/fairlead/fairlead.json", json.dumps(FIRST))
        self.host.write(SECOND_FILE, json.dumps(SECOND))
        self.containers = cni.Containers(self.host)
        for name in ("one", "two"):
            self.containers.make(name)
        self.network = cni.Network(self.host, cni.fairlead_conflist("shop", "10.70.0.0/24"))
        self.fairleadd = None

    def tearDown(self):
        self.host.write("/etc/fairlead/fairlead.json", json.dumps(FIRST))
        if self.fairleadd and self.fairleadd.running():
            self.fairleadd.stop()
        for container in ("one", "two"):
            self.network.delete(container, forget=True)
        for network in self.host.networks():
            self.host.fairlead("network", "rm", network["name"])
        self.containers.remove_all()
        super().tearDown()

    def kernel(self):
        """What the kernel has of Fairlead's: names, aliases and the whole table."""
        links = json.loads(self.host.exec("ip", "-json", "link", "show").out)
        ours = sorted((link["ifname"], link.get("ifalias"), link.get("master")) for link in links
                      if link["ifname"].startswith("fl"))
        return ours, without_questions(self.host.exec("nft", "list", "table", "inet", "fairlead", check=False).out)

    def bridges(self):
        return [name for name, alias, _ in self.kernel()[0] if alias]

    def test_daemon_command_line_and_cni_share_its_folders(self):
        self.fairleadd = self.host.start_fairleadd()
        self.network.add("one")
        self.assertEqual(["shop"], [network["name"] for network in self.host.networks()])
        before = self.kernel()
        self.assertEqual([], self.host.fairlead_json("reconcile")["network"]["actions"])
        self.assertEqual(before, self.kernel())
        self.host.fairlead("volume", "create", "data")
        self.assertIn(FIRST["volume_dir"] + "/", self.host.fairlead("volume", "inspect", "data").out)
        self.host.fairlead("volume", "rm", "data")
        # The same without the daemon: fairlead-cni-local reads the file itself.
        self.assertEqual(0, self.fairleadd.stop())
        self.assertFalse(self.host.path(API_SOCKET).exists())
        self.network.add("two")
        self.assertEqual(2, len(self.host.endpoints()))
        self.assertFalse(self.host.path("/var/lib/fairlead/state.db").exists())

    def test_flags_and_variables_go_over_the_file(self):
        self.host.fairlead("network", "create", "--subnet", "10.71.0.0/24", "lab")
        self.assertEqual(["lab"], [network["name"] for network in self.host.networks()])
        for arguments, env in ((("--config", SECOND_FILE), {}), ((), {"FAIRLEAD_CONFIG": SECOND_FILE}),
                               (("--state-dir", SECOND["state_dir"]), {}),
                               ((), {"FAIRLEAD_STATE_DIR": SECOND["state_dir"]})):
            with self.subTest(arguments=arguments, env=env):
                self.assertEqual([], json.loads(self.host.fairlead("network", "ls", "--json", *arguments, env=env).out))

    def test_a_daemon_with_flags_of_its_own_does_not_answer_for_the_host(self):
        self.fairleadd = self.host.start(bin_folder() / "fairleadd", "--config", SECOND_FILE, name="second")
        self.fairleadd.await_start(lambda: "ready" in self.fairleadd.log(), "the second daemon")
        self.assertFalse(self.host.path(API_SOCKET).exists())

    def test_odd_folders_are_folders(self):
        odd = """/var/lib/fairlead/a"b 'c","log_level":"debug"""
        self.fairleadd = self.host.start(bin_folder() / "fairleadd", "--config", SECOND_FILE, "--state-dir", odd,
                                         name="odd")
        self.fairleadd.await_start(lambda: "ready" in self.fairleadd.log(), "the daemon")
        self.assertTrue(self.host.path(odd + "/state.db").exists())
        env = {"FAIRLEAD_CONFIG": SECOND_FILE, "FAIRLEAD_STATE_DIR": odd}
        self.host.fairlead("network", "create", "lab", env=env)
        self.assertEqual([], json.loads(self.host.fairlead("reconcile", "--json", env=env).out)["network"]["actions"])
        self.host.fairlead("network", "rm", "lab", env=env)

    def test_a_second_instance_is_refused_and_neither_touches_the_other(self):
        self.fairleadd = self.host.start_fairleadd()
        self.network.add("one", ports=[(8080, 80)])
        before = self.kernel()
        self.refuse_the_second()
        self.assertEqual(before, self.kernel())
        # A daemon that is down is no reason to take its networks away; nor is a table that is gone.
        self.fairleadd.stop()
        self.refuse_the_second()
        self.assertEqual(before, self.kernel())
        self.host.exec("nft", "delete", "table", "inet", "fairlead")
        self.refuse_the_second()
        self.assertEqual(before[0], self.kernel()[0])
        self.host.fairlead("reconcile")
        self.assertEqual(before[0], self.kernel()[0])

    def refuse_the_second(self):
        daemon = self.host.exec(bin_folder() / "fairleadd", "--config", SECOND_FILE, check=False, timeout=20)
        self.assertEqual(1, daemon.code)
        said = [daemon.err]
        for command in (("reconcile",), ("network", "create", "lab")):
            output = self.host.fairlead(*command, "--config", SECOND_FILE, check=False)
            self.assertEqual(1, output.code)
            said.append(output.err)
        with self.assertRaises(cni.CniError) as refused:
            self.network.add("two", env={"FAIRLEAD_CONFIG": SECOND_FILE})
        said.append(str(refused.exception))
        for text in said:
            self.assertIn("belong to the store in " + FIRST["state_dir"], text)
            self.assertIn(SECOND["state_dir"], text)
        self.assertEqual([], json.loads(self.host.fairlead("network", "ls", "--json", "--config", SECOND_FILE).out))

    def test_a_lost_store_is_replaced_in_its_place(self):
        self.network.add("one")
        self.assertEqual(1, len(self.bridges()))
        self.host.exec("rm", "-r", FIRST["state_dir"])
        self.host.fairlead("reconcile")
        self.assertEqual(([], ""), self.kernel())

    def test_a_reboot_lets_another_store_take_over(self):
        self.network.add("one")
        for name, alias, _ in self.kernel()[0]:
            self.host.exec("ip", "link", "delete", name)
        self.host.exec("nft", "delete", "table", "inet", "fairlead")
        second = ("--config", SECOND_FILE)
        self.host.fairlead("network", "create", "lab", *second)
        refused = self.host.fairlead("reconcile", check=False)
        self.assertIn("belong to the store in " + SECOND["state_dir"], refused.err)
        self.host.fairlead("network", "rm", "lab", *second)
        self.host.fairlead("reconcile")
        self.assertEqual(1, len(self.bridges()))

    def test_a_bad_file_is_told_by_every_executable(self):
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"state_dirs": "/x"}))
        said = [self.host.exec(bin_folder() / "fairleadd", check=False).err]
        for command in (("network", "ls"), ("reconcile",), ("cluster", "status")):
            output = self.host.fairlead(*command, check=False)
            self.assertEqual(1, output.code)
            said.append(output.err)
        with self.assertRaises(cni.CniError) as refused:
            self.network.add("one")
        said.append(str(refused.exception))
        for text in said:
            self.assertIn("/etc/fairlead/fairlead.json", text)
            self.assertIn("did you mean", text)
            self.assertIn("state_dir", text)
