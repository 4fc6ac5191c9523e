"""Real databases on volumes, under load: every snapshot is one that they recover from, and so is what a power cut leaves.

FAIRLEAD_DATABASE_ROUNDS: how many snapshots, clones, rollbacks and cuts there are of each database on each kind of volume. Without
it there is one, and not of every kind.
"""

import os
import unittest

from support.e2e import databases
from support.e2e.case import DockerCase
from support.e2e.databases import MariaDb, Postgres
from support.e2e.waiting import eventually

ROUNDS = int(os.environ.get("FAIRLEAD_DATABASE_ROUNDS", "0"))
EVERY_KIND = unittest.skipUnless(ROUNDS, "FAIRLEAD_DATABASE_ROUNDS is not set")
LOAD = 3600  # seconds; it ends with its container


class DatabaseCase(DockerCase):
    """`kind`: of the database; `pool` and `options`: of its volumes."""

    needs_fairlead = True
    kind, pool, options = Postgres, "btrfs", ()

    @classmethod
    def setUpClass(cls):
        if not databases.have_databases():
            raise unittest.SkipTest("postgresql-15, mariadb-server-core, mariadb-client-core and sysbench are not installed")
        super().setUpClass()
        cls.host.path("/run/host/databases.tar").write_bytes(databases.database_archive().read_bytes())
        cls.docker("load", "--input", "/run/host/databases.tar")
        cls.host.fairlead("pool", "create", "fast", "--size", "4g", "--fstype", cls.pool)

    def volume(self, name, size="600m", *options):
        pairs = ("pool=fast", f"size={size}", f"uid={databases.USER}", f"gid={databases.USER}", *self.options, *options)
        return self.docker.volume(name, *[word for pair in pairs for word in ("--opt", pair)])

    def database(self, name, *places):
        """`places`: volume:folder of the container."""
        return self.kind(self.docker, name, *[word for place in places for word in ("--volume", place)])

    def one_that_is_under_load(self):
        self.volume("data")
        database = self.database("db", "data:/store").make()
        self.load(database)
        return database

    def load(self, database):
        before = database.commits()
        database.load(LOAD)
        eventually(lambda: database.commits() > before + 20, "the load", 20, pause=0.1)

    def check_clone(self, *places):
        """A server on these clones starts, and all that it holds is right; the clones go."""
        clone = self.database("clone", *places).run()
        clone.check()
        clone.remove()
        for place in places:
            self.docker("volume", "rm", place.partition(":")[0])

    # ---- what every kind must stand ---------------------------------------------------------------------------------

    def snapshots_and_clones(self):
        database = self.one_that_is_under_load()
        for number in range(max(1, ROUNDS)):
            before = database.commits()
            self.host.fairlead("snapshot", "create", f"data@s{number}")
            eventually(lambda: database.commits() > before, "the load to go on", 20, pause=0.1)
            self.host.fairlead("volume", "clone", f"data@s{number}", "copy")
            self.check_clone("copy:/store")
        database.check()

    def rollbacks(self):
        database = self.one_that_is_under_load()
        for number in range(max(1, ROUNDS)):
            before = database.commits()
            self.host.fairlead("snapshot", "create", f"data@r{number}")
            eventually(lambda: database.commits() > before + 20, "the load to go on", 20, pause=0.1)
            database.kill()
            self.host.fairlead("volume", "rollback", "data", f"r{number}")
            database.run()
            database.check()
            self.load(database)

    def power_cuts(self):
        """The file system is shut down while the server writes, without a flush, as a cut of the power does."""
        database = self.one_that_is_under_load()
        for _ in range(max(1, ROUNDS)):
            mountpoint = self.docker.inspect("volume", "data")["Mountpoint"]
            self.host.exec("xfs_io", "-x", "-c", "shutdown", mountpoint)
            database.kill()
            eventually(lambda: not self.host.volumes()[0]["state"]["mounts"], "the volume to be unmounted", 20, pause=0.2)
            database.run()
            database.check()
            self.load(database)

    def a_full_volume(self):
        """The database fills its volume, stops, and goes on after the volume was made larger."""
        database = self.one_that_is_under_load()
        filled = self.docker("run", "--rm", "--user", str(databases.USER), "--volume", "data:/store", databases.IMAGE, "sh", "-c",
                             "dd if=/dev/zero of=/store/fill bs=1M; dd if=/dev/zero of=/store/rest bs=4k; sync", check=False).err
        self.assertRegex(filled, "No space left|quota exceeded")
        database.kill()
        self.host.fairlead("volume", "resize", "data", "+300m")
        database.run()
        database.check()
        self.assertEqual("ok", self.host.fairlead_json("volume", "inspect", "data")[0]["state"]["health"])


class PostgresOnBtrfs(DatabaseCase):
    def test_every_clone_of_a_snapshot_under_load_starts_and_is_whole(self):
        self.snapshots_and_clones()

    def test_every_rollback_is_whole(self):
        self.rollbacks()

    def test_a_full_volume_is_made_larger_and_the_database_goes_on(self):
        self.a_full_volume()


class PostgresOnExt4Images(PostgresOnBtrfs):
    pool, options = "xfs", ("backend=image", "fstype=ext4")

    def test_what_a_power_cut_leaves_is_whole(self):
        self.power_cuts()


@EVERY_KIND
class PostgresOnXfsImages(PostgresOnExt4Images):
    options = ("backend=image", "fstype=xfs")


@EVERY_KIND
class MariaDbOnBtrfs(PostgresOnBtrfs):
    kind = MariaDb


class MariaDbOnXfsImages(PostgresOnExt4Images):
    kind, options = MariaDb, ("backend=image", "fstype=xfs")
