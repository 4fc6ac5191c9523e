"""Commands that containers ask for by labels, around snapshots of the volumes that they use; several volumes at one moment."""

import json

from support.e2e import cni
from support.e2e.case import DockerCase, FairleadCase
from support.e2e.podman import Podman

# What a database does: it keeps what it was told in memory, and writes it to its volume when it is asked to.
BUFFER = "/tmp/buffer"
PRE = f"cat {BUFFER} > /data/table; echo $FAIRLEAD_VERB $FAIRLEAD_VOLUME $FAIRLEAD_SNAPSHOT >> {BUFFER}.log"
POST = f"echo $FAIRLEAD_RESULT >> {BUFFER}.log"
LABELS = ("--label", f"fairlead.snapshot.pre={PRE}", "--label", "fairlead.snapshot.post=" + json.dumps(["sh", "-c", POST]))


class InAPool:
    """Volumes that can be snapshotted while they are used: mixed in below."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.fairlead("pool", "create", "fast", "--size", "400m")

    def tearDown(self):
        super().tearDown()
        for name in self.host.fairlead("volume", "ls", "-q").out.split():
            self.host.fairlead("volume", "rm", name)

    def fails(self, *arguments):
        output = self.host.fairlead(*arguments, check=False)
        self.assertNotEqual(0, output.code, output.out)
        return output.err

    def table_in(self, volume):
        mountpoint = self.host.fairlead_json("volume", "inspect", volume)[0]["state"]["mountpoint"]
        return self.host.path(f"{mountpoint}/table").read_text()


class Docker(InAPool, DockerCase):
    def container(self, name, *options):
        self.docker.volume(name, "--opt", "pool=fast", "--opt", "label.group=shop")
        self.docker.run(name, "--volume", f"{name}:/data", *options)
        self.docker.exec(name, "sh", "-c", f"echo kept > {BUFFER}")

    def log(self, name):
        return self.docker.exec(name, "cat", f"{BUFFER}.log").out

    def test_a_buffer_is_flushed_before_the_snapshot(self):
        self.container("db", *LABELS)
        self.host.fairlead("snapshot", "create", "db", "monday")
        self.assertEqual("snapshot db monday\ntaken\n", self.log("db"))
        self.host.fairlead("volume", "clone", "db@monday", "copy")
        self.assertEqual("kept\n", self.table_in("copy"))

    def test_a_backup_and_the_api_have_them_too(self):
        self.container("db", *LABELS)
        self.host.fairlead("volume", "backup", "db", "--to", "/run/host/backup")
        self.assertRegex(self.log("db"), r"^archive db for-archive-\S+\ntaken\n$")
        self.host.fairlead("volume", "restore", "db", "--from", "/run/host/backup", "--as", "copy")
        self.assertEqual("kept\n", self.table_in("copy"))
        self.host.exec("curl", "--fail", "--silent", "--unix-socket", "/run/fairlead/api.sock", "--data", '{"name": "api"}',
                       "http://localhost/v1/volumes/db/snapshots")
        self.assertIn("snapshot db api\n", self.log("db"))

    def test_one_that_fails_refuses_the_snapshot_and_says_why(self):
        self.container("db", "--label", "fairlead.snapshot.pre=echo no such table >&2; exit 3", "--label",
                       f"fairlead.snapshot.post={POST}")
        said = self.fails("snapshot", "create", "db", "monday")
        self.assertIn('container "db" (Docker)', said)
        self.assertIn("no such table", said)
        self.assertEqual("failed\n", self.log("db"))
        self.assertEqual("", self.host.fairlead("snapshot", "ls", "-q").out)
        self.host.fairlead("snapshot", "create", "--no-hooks", "db", "monday")
        self.assertEqual("failed\n", self.log("db"))

    def test_one_that_hangs_is_ended_with_what_it_started(self):
        self.container("db", "--label", "fairlead.snapshot.pre=sleep 4711 & sleep 4712", "--label", "fairlead.hook.timeout=2s")
        said = self.fails("snapshot", "create", "db", "monday")
        self.assertIn("longer than 2 s", said)
        self.assertNotIn("sleep", self.docker("top", "db").out)

    def test_the_user_is_the_containers_unless_its_label_says_another(self):
        for name, user, options in (("one", "1000", ()), ("two", "1001", ("--label", "fairlead.hook.user=1001"))):
            self.docker.volume(name, "--opt", "pool=fast", "--opt", "mode=0777")
            self.docker.run(name, "--volume", f"{name}:/data:nocopy", "--user", "1000", "--label",
                            "fairlead.snapshot.pre=id -u > /data/user", *options, command=("sleep", "1000"))
            self.host.fairlead("snapshot", "create", name, "monday")
            self.assertEqual(f"{user}\n", self.docker.exec(name, "cat", "/data/user").out)

    def test_several_volumes_at_one_moment(self):
        self.container("db", *LABELS)
        self.container("files")
        self.assertEqual("db@monday\nfiles@monday\n", self.host.fairlead("snapshot", "create", "--group", "shop", "monday").out)
        self.assertEqual("snapshot db monday\ntaken\n", self.log("db"))
        groups = {one["state"]["group"] for one in self.host.fairlead_json("snapshot", "ls")}
        self.assertEqual(1, len(groups))
        self.assertIn("in use", self.fails("volume", "rollback", "--group", "shop", "monday"))
        self.assertEqual("db-test\nfiles-test\n",
                         self.host.fairlead("volume", "clone", "--group", "db,files", "monday", "--suffix", "test").out)
        self.assertEqual("kept\n", self.table_in("db-test"))
        made = self.host.fairlead("volume", "backup", "--group", "shop", "--to", "/run/host/group").out
        self.assertEqual(2, len(made.splitlines()))
        backups = self.host.fairlead_json("backup", "ls", "/run/host/group")
        self.assertEqual(1, len({one["group"] for one in backups}))
        self.docker.remove("db", "files")
        self.host.fairlead("volume", "rollback", "--group", "shop", "monday")
        self.host.fairlead("snapshot", "rm", "--group", "shop", "monday")
        self.assertNotIn("@monday", self.host.fairlead("snapshot", "ls", "-q").out.replace("before-monday", ""))


class InPodman(InAPool, FairleadCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.podman = Podman(cls.host).load_image()
        cls.podman.use_network(cni.fairlead_conflist("podnet", "10.51.0.0/24"))

    def test_a_buffer_is_flushed_before_the_snapshot(self):
        self.podman("volume", "create", "--driver", "fairlead", "--opt", "pool=fast", "db")
        self.podman.run("db", "--volume", "db:/data", *LABELS, network="podnet")
        self.podman("exec", "db", "sh", "-c", f"echo kept > {BUFFER}")
        self.host.fairlead("snapshot", "create", "db", "monday")
        self.assertEqual("snapshot db monday\ntaken\n", self.podman("exec", "db", "cat", f"{BUFFER}.log").out)
        self.host.fairlead("volume", "clone", "db@monday", "copy")
        self.assertEqual("kept\n", self.table_in("copy"))
        self.podman.remove("db")
        self.podman("volume", "rm", "db")
