"""Two instances on one machine at the same time: folders of their own, and a network namespace each."""

import json

from support.e2e import cni
from support.e2e.case import HostCase
from support.e2e.host import API_SOCKET, bin_folder
from support.e2e.snapshot import has_no_network, without_questions
from support.e2e.waiting import eventually


class Instance:
    """What one configuration file stands for: its daemon, its command line, its CNI plugin, in its network namespace."""

    def __init__(self, host, name, file, namespace, env):
        self.host, self.name, self.file, self.namespace, self.env = host, name, file, namespace, env
        self.folders = {"run_dir": f"/run/{name}", "state_dir": f"/var/lib/fairlead/{name}",
                        "volume_dir": f"/var/lib/fairlead/{name}-volumes", "plugin_dir": f"/run/{name}-plugins"}
        self.daemon, self._logged = None, 0
        # The same names and the same subnet in both.
        self.network = cni.Network(host, cni.fairlead_conflist("shop", "10.70.0.0/24"), env=env, namespace=namespace)
        host.write(file, json.dumps(self.folders))

    def start(self, *flags):
        log = self.host.path(f"/run/host/{self.name}.log")
        self._logged = len(log.read_text()) if log.exists() else 0
        self.daemon = self.host.start(bin_folder() / "fairleadd", *flags, name=self.name, env=self.env,
                                      namespace=self.namespace)
        self.daemon.await_start(lambda: "ready" in self.log(), self.name)
        return self

    def log(self):
        """What the daemon that was started last has said."""
        return self.daemon.log()[self._logged:]

    def stop(self):
        if self.daemon and self.daemon.running():
            self.daemon.stop()

    def fairlead(self, *arguments, check=True):
        return self.host.fairlead(*arguments, check=check, env=self.env, namespace=self.namespace)

    def shown(self, *arguments):
        return json.loads(self.fairlead(*arguments, "--json").out)

    def kernel(self):
        """What the kernel has of Fairlead's in this namespace: links with their aliases and masters, and the whole table."""
        links = json.loads(self.host.exec("ip", "-json", "link", "show", namespace=self.namespace).out)
        ours = sorted((link["ifname"], link.get("ifalias"), link.get("master")) for link in links
                      if link["ifname"].startswith("fl"))
        table = without_questions(self.host.exec("nft", "list", "table", "inet", "fairlead", check=False, namespace=self.namespace).out)
        return ours, "" if has_no_network(table) else table

    def records(self):
        volumes = [volume["name"] for volume in self.shown("volume", "ls")]
        return [network["id"] for network in self.shown("network", "ls")], self.shown("endpoint", "ls"), volumes

    def everything(self):
        return self.kernel(), self.records()

    def made_by_the_daemon(self):
        return self.log().count("network created")

    def remove_all(self, *containers):
        for container in containers:
            self.network.delete(container, forget=True)
        for volume in self.shown("volume", "ls"):
            self.fairlead("volume", "rm", volume["name"])
        for network in self.shown("network", "ls"):
            self.fairlead("network", "rm", network["name"])


class InstancesCase(HostCase):
    def setUp(self):
        super().setUp()
        cni.install_fairlead(self.host)
        self.containers = cni.Containers(self.host)
        self.containers.make("second", "one", "two", "three")
        self.host.exec("ip", "link", "set", "lo", "up", namespace="second")
        # The first is the host's own; the second is named by the environment.
        self.first = Instance(self.host, "first", "/etc/fairlead/fairlead.json", "host", {})
        self.second = Instance(self.host, "other", "/etc/fairlead/other.json", "second",
                               {"FAIRLEAD_CONFIG": "/etc/fairlead/other.json"})
        self.by_folders = {"FAIRLEAD_CONFIG": "", "FAIRLEAD_RUN_DIR": self.second.folders["run_dir"],
                           "FAIRLEAD_STATE_DIR": self.second.folders["state_dir"]}

    def tearDown(self):
        for instance in (self.first, self.second):
            instance.remove_all("one", "two", "three")
            instance.stop()
        self.containers.remove_all()
        super().tearDown()

    def both(self):
        return self.first, self.second


class BothAtOnce(InstancesCase):
    def test_neither_sees_nor_touches_the_other(self):
        self.first.start(), self.second.start()
        self.first.network.add("one", ports=[(8080, 80)])  # by the daemon
        self.assertEqual(1, self.first.made_by_the_daemon())
        only_first = self.first.everything()
        self.assertEqual((([], ""), ([], [], [])), self.second.everything())
        # By the thin client and the daemon, as its run folder is known; then by fairlead-cni-local, which reads the file.
        self.second.network.add("two", ports=[(8080, 80)], env=self.by_folders)
        self.assertEqual(1, self.second.made_by_the_daemon())
        self.second.network.add("three")
        self.first.fairlead("volume", "create", "data")
        self.second.fairlead("volume", "create", "data", "--label", "of=second")
        self.assertEqual(only_first[0], self.first.kernel())
        self.assertEqual(2, len(self.second.shown("endpoint", "ls")))
        self.assertEqual(["one"], [endpoint["container"] for endpoint in self.first.shown("endpoint", "ls")])
        for instance in self.both():
            volume = self.host.path(instance.folders["volume_dir"])
            self.assertEqual(1, len(list((volume / "vol").iterdir())))
        before = [instance.everything() for instance in self.both()]
        for instance in self.both():
            self.assertEqual([], instance.shown("reconcile")["network"]["actions"])
        self.first.network.check("one")
        self.second.network.check("two")
        self.second.network.check("three")
        self.assertEqual(before, [instance.everything() for instance in self.both()])
        # What the one takes away leaves the other as it was.
        self.second.remove_all("two", "three")
        self.assertEqual((([], ""), ([], [], [])), self.second.everything())
        self.assertEqual(before[0], self.first.everything())
        self.assertFalse(self.host.path("/var/lib/fairlead/state.db").exists())
        self.assertFalse(self.host.path("/var/lib/fairlead/volumes").exists())

    def test_a_daemon_that_is_killed_is_done_without_and_found_again(self):
        self.first.start(), self.second.start()
        for instance, container in ((self.first, "one"), (self.second, "two")):
            instance.daemon.kill()
            instance.network.add(container)
        self.assertTrue(self.host.path(API_SOCKET).exists())  # left behind by the first
        before = [instance.everything() for instance in self.both()]
        self.first.start()
        self.first.network.delete("one")
        self.first.fairlead("network", "rm", "shop")
        self.first.network.add("one")
        self.assertEqual(1, self.first.made_by_the_daemon())
        self.assertEqual(before[1], self.second.everything())


class AnotherStoreInANamespaceThatHasOne(InstancesCase):
    def setUp(self):
        super().setUp()
        self.first.network.add("one", ports=[(8080, 80)])
        self.second.network.add("two", ports=[(8080, 80)])
        self.second.fairlead("network", "create", "empty")
        self.stray = Instance(self.host, "other", "/etc/fairlead/other.json", "host", self.second.env)

    def refused(self, text):
        self.assertIn(f"belong to the store in {self.first.folders['state_dir']}", text)
        self.assertIn(self.second.folders["state_dir"], text)

    def test_every_command_that_would_change_it_refuses(self):
        before = [instance.everything() for instance in self.both()]
        endpoint = self.second.shown("endpoint", "ls")[0]["id"]
        for command in (("reconcile",), ("network", "create", "lab"), ("network", "rm", "empty"),
                        ("network", "rm", "shop"), ("endpoint", "rm", endpoint)):
            with self.subTest(command=command):
                output = self.stray.fairlead(*command, check=False)
                self.assertEqual(1, output.code, output.out)
                self.refused(output.err)
        self.assertEqual(before, [instance.everything() for instance in self.both()])

    def test_every_cni_verb_that_would_change_it_refuses(self):
        before = [instance.everything() for instance in self.both()]
        with self.assertRaises(cni.CniError) as refused:
            self.stray.network.add("three")
        self.refused(str(refused.exception))
        with self.assertRaises(cni.CniError) as refused:
            self.stray.network.delete("two")
        self.refused(str(refused.exception))
        self.stray.network.delete("unknown")
        self.assertEqual(before, [instance.everything() for instance in self.both()])

    def test_a_daemon_refuses_to_start(self):
        daemon = self.host.exec(bin_folder() / "fairleadd", env=self.second.env, check=False, timeout=20)
        self.assertEqual(1, daemon.code)
        self.refused(daemon.err)

    def test_what_only_reads_works_and_says_so(self):
        self.assertEqual(["empty", "shop"], sorted(network["name"] for network in self.stray.shown("network", "ls")))
        self.refused(" ".join(self.stray.shown("status")["problems"]))


class AtTheWrongSocket(InstancesCase):
    def locks_of(self, instance):
        folder = self.host.path(instance.folders["run_dir"] + "/locks")
        return sorted(each.name for each in folder.iterdir()) if folder.exists() else []

    def test_a_daemon_with_a_store_of_its_own_does_not_take_the_host_s_calls(self):
        """It runs at the default place, where the plugin asks, in another namespace."""
        flags = ("--config", self.second.file, "--run-dir", "/run/fairlead")
        self.second.start(*flags)
        self.first.network.add("one")
        self.assertEqual(1, len(self.first.shown("endpoint", "ls")))
        self.assertEqual((([], ""), ([], [], [])), self.second.everything())
        self.first.network.check("one")
        self.first.network.delete("one")
        self.assertEqual([], self.first.shown("endpoint", "ls"))

    def test_a_run_folder_without_its_store_is_noticed(self):
        self.first.start(), self.second.start()
        run_folder_alone = {"FAIRLEAD_RUN_DIR": self.second.folders["run_dir"]}
        locks = self.locks_of(self.second)
        self.first.network.add("one", env=run_folder_alone)  # the store is the host's
        self.assertEqual(1, len(self.first.shown("endpoint", "ls")))
        self.assertEqual((([], ""), ([], [], [])), self.second.everything())
        self.assertEqual(locks, self.locks_of(self.second))  # the daemon would take an ADD that is at work for a leftover

    def test_a_store_without_its_run_folder_is_noticed(self):
        self.first.start(), self.second.start()
        store_alone = {"FAIRLEAD_CONFIG": "", "FAIRLEAD_STATE_DIR": self.second.folders["state_dir"]}
        locks = self.locks_of(self.first)
        self.second.network.add("two", env=store_alone)  # the socket is that of the first
        self.assertEqual(1, len(self.second.shown("endpoint", "ls")))
        self.assertEqual((([], ""), ([], [], [])), self.first.everything())
        self.assertEqual(locks, self.locks_of(self.first))

    def test_the_command_line_notices_it_as_well(self):
        self.first.start()
        output = self.first.fairlead("cluster", "status", "--state-dir", self.second.folders["state_dir"], check=False)
        self.assertEqual(1, output.code)
        for folder in (self.first.folders["state_dir"], self.second.folders["state_dir"]):
            self.assertIn(f"store in {folder}", output.err)

    def test_a_file_that_was_changed_under_the_daemon_is_noticed(self):
        self.first.start()
        self.first.network.add("one")
        before = self.first.everything()
        self.host.write(self.first.file, json.dumps({**self.first.folders, "state_dir": "/var/lib/fairlead/new"}))
        with self.assertRaises(cni.CniError) as refused:
            self.first.network.add("two")
        self.host.write(self.first.file, json.dumps(self.first.folders))
        self.assertIn(f"belong to the store in {self.first.folders['state_dir']}", str(refused.exception))
        self.assertIn("/var/lib/fairlead/new", str(refused.exception))
        self.assertEqual(before, self.first.everything())

    def test_without_the_default_place_the_plugin_works_as_well(self):
        self.host.exec("mkdir", "-p", "/run/fairlead")
        self.host.exec("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/run/fairlead")
        try:
            self.first.start()
            eventually(lambda: "fairlead-cni will not find this daemon" in self.first.log(), "the warning")
            self.first.network.add("one")
            self.first.network.check("one")
            self.assertEqual(0, self.first.made_by_the_daemon())
            self.assertEqual(1, len(self.first.shown("endpoint", "ls")))
            self.assertEqual([], self.first.shown("reconcile")["network"]["actions"])
            self.first.network.delete("one")
        finally:
            self.host.exec("umount", "/run/fairlead")
