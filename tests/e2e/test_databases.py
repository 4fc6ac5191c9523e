"""Real databases on volumes, under load: every snapshot is one that they recover from, and so is what a power cut or a full disk leaves.

FAIRLEAD_DATABASE_ROUNDS: how many snapshots, clones, rollbacks and cuts there are of each database on each kind of volume. Without
it there is one, and not of every kind.
"""

import os
import time
import unittest

from support.e2e import databases
from support.e2e.case import DockerCase
from support.e2e.databases import LOG, MariaDb, Postgres
from support.e2e.waiting import eventually

ROUNDS = int(os.environ.get("FAIRLEAD_DATABASE_ROUNDS", "0"))
EVERY_KIND = unittest.skipUnless(ROUNDS, "FAIRLEAD_DATABASE_ROUNDS is not set")
LOAD = 3600  # seconds; it ends with its container
KEPT = 3  # snapshots: each holds what was overwritten since, which counts against the size of a volume on btrfs


class DatabaseCase(DockerCase):
    """`kind`: of the database; `pool` and `options`: of its volumes; `usual`: what it must stand in every run."""

    needs_fairlead = True
    kind, pool, options, usual = Postgres, "btrfs", (), ()

    @classmethod
    def setUpClass(cls):
        if not databases.have_databases():
            raise unittest.SkipTest("postgresql-15, mariadb-server-core, mariadb-client-core and sysbench are not installed")
        super().setUpClass()
        cls.host.path("/run/host/databases.tar").write_bytes(databases.database_archive().read_bytes())
        cls.docker("load", "--input", "/run/host/databases.tar")
        cls.host.fairlead("pool", "create", "fast", "--size", "6g", "--fstype", cls.pool)

    def volume(self, name, size="2g"):
        pairs = ("pool=fast", f"size={size}", f"uid={databases.USER}", f"gid={databases.USER}", *self.options)
        return self.docker.volume(name, *[word for pair in pairs for word in ("--opt", pair)])

    def database(self, name, *places):
        """`places`: volume:folder of the container."""
        return self.kind(self.docker, name, *[word for place in places for word in ("--volume", place)])

    def one_that_is_under_load(self, size="2g"):
        self.volume("data", size)
        database = self.database("db", "data:/store").make()
        self.load(database)
        return database

    def load(self, database):
        before = database.commits()
        database.load(LOAD)
        database.await_commits(before + 20)

    def check_clone(self, *places):
        """A server on these clones starts, and all that it holds is right; the clones go."""
        clone = self.database("clone", *places).run()
        clone.check()
        clone.remove()
        for place in places:
            self.docker("volume", "rm", place.partition(":")[0])

    def stands(self, what):
        if not ROUNDS and what.__name__ not in self.usual:
            self.skipTest("FAIRLEAD_DATABASE_ROUNDS is not set")
        what()

    def condition(self):
        return self.host.fairlead_json("volume", "inspect", "data")[0]["state"]["condition"]

    # ---- what every kind must stand ---------------------------------------------------------------------------------

    def snapshots_and_clones(self):
        database = self.one_that_is_under_load()
        for number in range(max(1, ROUNDS)):
            before = database.commits()
            self.host.fairlead("snapshot", "create", f"data@s{number}")
            database.await_commits(before)
            self.host.fairlead("volume", "clone", f"data@s{number}", "copy")
            self.check_clone("copy:/store")
            if number >= KEPT:
                self.host.fairlead("snapshot", "rm", f"data@s{number - KEPT}")
        database.check()

    def rollbacks(self):
        database = self.one_that_is_under_load()
        for number in range(max(1, ROUNDS)):
            before = database.commits()
            self.host.fairlead("snapshot", "create", f"data@r{number}")
            database.await_commits(before + 20)
            database.kill()
            kept = self.host.fairlead("volume", "rollback", "data", f"r{number}", "-q").out.strip()
            database.run()
            database.check()
            self.host.fairlead("snapshot", "rm", kept, f"data@r{number}")
            self.load(database)

    def power_cuts(self):
        """The file system is shut down while the server writes, without a flush, as a cut of the power does."""
        database = self.one_that_is_under_load()
        for _ in range(max(1, ROUNDS)):
            mountpoint = self.docker.inspect("volume", "data")["Mountpoint"]
            self.host.exec("xfs_io", "-x", "-c", "shutdown", mountpoint)
            database.kill()
            eventually(lambda: not self.host.volumes()[0]["state"]["mounts"], "the volume to be unmounted", 60, pause=0.2)
            database.run()
            database.check()
            self.load(database)

    def a_full_volume(self):
        """The database fills its volume, stops, and goes on after the volume was made larger."""
        database = self.one_that_is_under_load("600m")
        filled = self.docker("run", "--rm", "--user", str(databases.USER), "--volume", "data:/store", databases.IMAGE, "sh", "-c",
                             "dd if=/dev/zero of=/store/fill bs=1M; dd if=/dev/zero of=/store/rest bs=4k; sync", check=False).err
        self.assertRegex(filled, "No space left|quota exceeded")
        database.kill()
        self.host.fairlead("volume", "resize", "data", "+300m")
        database.run()
        database.check()
        self.assertEqual("ok", self.host.fairlead_json("volume", "inspect", "data")[0]["state"]["health"])

    def groups(self):
        """The data and the log are on two volumes: a snapshot of both is of one moment."""
        for name in ("data", "wal"):
            self.volume(name)
        database = self.database("db", "data:/store", f"wal:{LOG}").make()
        self.load(database)
        for number in range(max(1, ROUNDS)):
            before = database.commits()
            self.host.fairlead("snapshot", "create", "--group", "data,wal", f"g{number}")
            database.await_commits(before)
            self.host.fairlead("volume", "clone", "--group", "data,wal", f"g{number}", "--suffix", "copy")
            self.check_clone("data-copy:/store", f"wal-copy:{LOG}")
            if number >= KEPT:
                self.host.fairlead("snapshot", "rm", "--group", "data,wal", f"g{number - KEPT}")
        database.check()

    def a_full_disk(self):
        """The disk below the volume fills while the database writes: it stops, the volume says why, and both go on once there is room."""
        database = self.one_that_is_under_load()
        self.host.fairlead("snapshot", "create", "data@before")
        for number in range(max(1, ROUNDS // 10)):
            self.fill_the_disk()
            eventually(lambda: self.condition() == "disk-full", "the volume to say that the disk is full", 60, pause=0.5)
            eventually(lambda: self.is_at_a_stand(database), "the database to be at a stand", 180, pause=0.5)
            self.assertEqual("disk-full", self.condition())
            database.kill()
            self.make_room()
            self.assertEqual("ok", self.condition())
            database.run()
            database.check()
            self.load(database)
            self.host.fairlead("volume", "clone", "data@before", "copy")
            self.check_clone("copy:/store")
        database.check()

    @staticmethod
    def is_at_a_stand(database):
        """Whether it has ended, answers nobody, or commits nothing for some seconds."""
        try:
            before = database.commits()
            time.sleep(3)
            return database.commits() == before
        except (AssertionError, ValueError):
            return True

    def fill_the_disk(self):
        """The pool's: as another volume does that has no limit."""
        self.host.fairlead("volume", "create", "-o", "pool=fast", "-o", f"backend={self.folders}", "filler")
        folder = self.host.fairlead_json("volume", "inspect", "filler")[0]["state"]["mountpoint"]
        self.fill(folder)

    def fill(self, folder):
        self.host.exec("sh", "-c", f"fallocate -l $(($(stat -f -c %a*%S {folder}) * 9 / 10)) {folder}/large; "
                                   f"dd if=/dev/zero of={folder}/fill bs=1M; dd if=/dev/zero of={folder}/rest bs=4k", check=False)

    def make_room(self):
        """Returns when all is well again. btrfs gives the room back in the background, and fairleadd looks once a minute by itself."""
        self.host.fairlead("volume", "rm", "filler")
        eventually(lambda: self.host.fairlead("reconcile", check=False).code == 0, "the volumes to be well again", 120, pause=0.5)


class PostgresOnBtrfs(DatabaseCase):
    folders = "btrfs"  # the backend of a volume without a limit in the pool
    usual = ("groups", "rollbacks")

    def test_every_clone_of_a_snapshot_under_load_starts_and_is_whole(self):
        self.stands(self.snapshots_and_clones)

    def test_every_clone_of_a_group_of_data_and_log_starts_and_is_whole(self):
        self.stands(self.groups)

    def test_every_rollback_is_whole(self):
        self.stands(self.rollbacks)

    def test_a_full_volume_is_made_larger_and_the_database_goes_on(self):
        self.stands(self.a_full_volume)

    def test_a_full_disk_is_told_and_the_database_goes_on_once_there_is_room(self):
        self.stands(self.a_full_disk)


class PostgresOnExt4Images(PostgresOnBtrfs):
    pool, options, folders = "xfs", ("backend=image", "fstype=ext4"), "dir"
    usual = ("power_cuts", "a_full_disk")

    def test_what_a_power_cut_leaves_is_whole(self):
        self.stands(self.power_cuts)


@EVERY_KIND
class PostgresOnXfsImages(PostgresOnExt4Images):
    options = ("backend=image", "fstype=xfs")


@EVERY_KIND
class MariaDbOnBtrfs(PostgresOnBtrfs):
    kind = MariaDb


@EVERY_KIND
class MariaDbOnExt4Images(PostgresOnExt4Images):
    kind = MariaDb


class MariaDbOnXfsImages(PostgresOnExt4Images):
    kind, options = MariaDb, ("backend=image", "fstype=xfs")
    usual = ("snapshots_and_clones", "a_full_volume")
