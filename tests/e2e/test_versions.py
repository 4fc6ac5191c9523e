"""The state of other versions: an older one is taken over, with a copy kept, and goes back; a newer one is refused by every program."""

from pathlib import Path

from support.e2e.case import HostCase
from support.e2e.cni import CniError, Containers, Network, fairlead_conflist, install_fairlead
from support.e2e.host import bin_folder

# What a build that knew format 1 left: networks shop (both families, with container web) and back, volume data.
DUMP = Path(__file__).resolve().parent.parent / "golden" / "state" / "format-1.sql"
BOOT = "2d7b7a1d-8868-445f-84fd-04eb8f9b3596"
VOLUME = "d72625622c06dc7ea04a79af467141c0"
FOLDER = "/var/lib/fairlead"
DATABASE = f"{FOLDER}/state.db"
COPY = f"{FOLDER}/state.db.format-1"


class OfOtherVersions(HostCase):
    def setUp(self):
        super().setUp()
        self.host.exec("sh", "-c", f"rm -rf {FOLDER}/* && mkdir -p {FOLDER}/volumes/vol/{VOLUME}/_data")
        self.host.write(f"{FOLDER}/volumes/vol/{VOLUME}/_data/goods", "old")
        self.host.write(f"{FOLDER}/volumes/vol/{VOLUME}/volume.json",
                        '{"backend":"dir","created":1796097360,"format":1,"id":"%s","labels":{"app":"shop"},"name":"data",'
                        '"options":{"uid":"1000"}}' % VOLUME)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self.sql(DATABASE, DUMP.read_text(encoding="utf-8").replace(BOOT, boot) +
                 "PRAGMA application_id=1179798596; PRAGMA user_version=1; PRAGMA journal_mode=WAL")

    def sql(self, path, script):
        """In the host: SQLite follows links by their text, and /proc/PID/root is one."""
        self.host.exec("python3", "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())", path,
                       data=script)

    def format_of(self, path):
        return int.from_bytes(self.host.path(path).read_bytes()[60:64], "big")  # user_version (SQLite's file format, 1.3)

    def folded(self):
        """What is in the database, with nothing left in its log."""
        self.sql(DATABASE, "PRAGMA wal_checkpoint(TRUNCATE)")
        return self.host.path(DATABASE).read_bytes()

    def attach(self, container):
        """An ADD to network shop, as a runtime would call it."""
        install_fairlead(self.host)
        containers = Containers(self.host)
        self.addCleanup(containers.remove_all)
        containers.make(container)
        return Network(self.host, fairlead_conflist("shop", network="shop")).add(container)

    def test_an_older_state_is_taken_over(self):
        self.assertEqual(["back", "shop"], sorted(network["name"] for network in self.host.networks()))
        self.folded()
        self.assertEqual(2, self.format_of(DATABASE))
        self.assertEqual(1, self.format_of(COPY))
        endpoint, = self.host.endpoints()
        self.assertEqual(("web", ["10.20.0.2/24", "fd00:20::2/64"]), (endpoint["container"], endpoint["addresses"]))
        daemon = self.host.start_fairleadd()
        try:
            shop = next(network for network in self.host.networks() if network["name"] == "shop")
            self.assertEqual(["10.20.0.0/24", "fd00:20::/64"], [subnet["subnet"] for subnet in shop["subnets"]])
            self.assertEqual("10.20.0.3/24", self.attach("c1")["ips"][0]["address"])
            self.assertEqual([], self.host.fairlead_json("status")["problems"])
            volume, = self.host.volumes()
            self.assertEqual(("data", {"app": "shop"}, {"uid": "1000"}), (volume["name"], volume["labels"], volume["options"]))
            self.assertEqual("old", self.host.fairlead("volume", "cat", "data:/goods").out)
            self.host.fairlead("network", "create", "third")
        finally:
            daemon.stop()

    def test_the_copy_leads_back(self):
        self.host.fairlead("network", "create", "third")
        self.folded()
        self.host.exec("sh", "-ec", f"cd {FOLDER} && mkdir newer && mv state.db state.db-* newer && mv {COPY} state.db")
        self.assertEqual(1, self.format_of(DATABASE))
        self.assertEqual(["back", "shop"], sorted(network["name"] for network in self.host.networks()))

    def test_a_newer_state_is_refused_by_every_program(self):
        self.sql(DATABASE, "PRAGMA user_version=99")
        before = self.folded()
        said = "a newer Fairlead wrote it (format 99, this one knows 2); upgrade"
        self.assertIn(said, self.host.fairlead("network", "ls", check=False).err)
        daemon = self.host.exec(bin_folder() / "fairleadd", check=False)
        self.assertEqual(1, daemon.code)
        self.assertIn(said, daemon.err)
        with self.assertRaises(CniError) as refused:
            self.attach("c1")
        self.assertIn(said, str(refused.exception))
        self.assertEqual(before, self.folded())
