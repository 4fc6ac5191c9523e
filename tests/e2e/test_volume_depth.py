"""Volumes in depth: size, growth, snapshots, clones, rollback, trash, pools, archives, and two runtimes at once."""

import json
import os
import re
import secrets

from support.e2e import images, newer_docker
from support.e2e.case import DockerCase, FairleadCase, PodmanBeside
from support.e2e.cluster import ask
from support.e2e.host import API_SOCKET, bin_folder
from support.e2e.waiting import eventually

MIB = 1 << 20

# Commits rows one by one and says how many are acknowledged, until it is killed.
WRITER = """
import os, sqlite3, sys
database, counter = sys.argv[1:]
connection = sqlite3.connect(database, isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, text BLOB)")
for n in range(1, 10_000_000):
    connection.execute("INSERT INTO rows VALUES (?, randomblob(2000))", (n,))
    with open(counter + ".new", "w") as file:
        file.write(str(n))
    os.rename(counter + ".new", counter)
"""

# What a database holds, and whether it is whole: "ok 1234".
READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("PRAGMA integrity_check").fetchone()[0],
      connection.execute("SELECT count(*) FROM rows").fetchone()[0])
"""


class DepthCase(DockerCase):
    """Volumes whose content containers and the command line look at; nothing stays behind."""

    needs_fairlead = True
    pool, backend = None, None  # where and as what `volume` makes them, when not by default

    def tearDown(self):
        super().tearDown()
        self.host.fairlead("trash", "empty", "-f")
        find = ("find", "/var/lib/fairlead/volumes", "-maxdepth", "5", "-path", "*/trash/*")  # those of pools too
        eventually(lambda: not self.host.exec(*find, check=False).out, "what was removed to be gone", deadline=90)

    def volume(self, name, **options):
        if self.pool:
            options["pool"] = self.pool
        if self.backend:
            options["backend"] = self.backend
        words = [word for key, value in options.items() for word in ("--opt", f"{key.rstrip('_')}={value}")]
        return self.docker.volume(name, *words)

    def use(self, container, volume, *options):
        """A container that sleeps and has the volume at /data."""
        return self.docker.run(container, "--network", "none", "--volume", f"{volume}:/data", *options,
                               command=("sleep", "3600"))

    def write(self, container, text, file="/data/file"):
        self.docker.exec(container, "sh", "-c", f"echo {text} > {file} && sync")

    def read(self, container, file="/data/file"):
        return self.docker.exec(container, "cat", file).out.strip()

    def content(self, volume, file="file"):
        """What a file of the volume holds, by a container of its own."""
        self.use("reader", volume)
        try:
            return self.read("reader", f"/data/{file}")
        finally:
            self.docker.remove("reader")

    def status(self, volume):
        return self.docker.inspect("volume", volume)["Status"]

    def fairlead(self, *words):
        return self.host.fairlead(*words).out.strip()

    def fairlead_fails(self, *words):
        output = self.host.fairlead(*words, check=False)
        self.assertNotEqual(0, output.code, f"fairlead {' '.join(words)} succeeded: {output.out}")
        self.assertEqual(1, output.err.count("\n"), output.err)
        return output.err

    def fill(self, container, mib, file="/data/large"):
        """Writes so much; whether there was room."""
        said = self.docker.exec(container, "dd", "if=/dev/zero", f"of={file}", "bs=1M", f"count={mib}", check=False)
        if said.code != 0:
            self.assertIn("No space left on device", said.err)
        return said.code == 0


class Sizes(DepthCase):
    def test_a_size_is_a_hard_limit_that_inspect_and_df_show(self):
        self.volume("data", size="64m")
        self.use("one", "data")
        self.assertTrue(self.fill("one", 32))
        self.assertFalse(self.fill("one", 80, "/data/more"))
        status = self.status("data")
        self.assertEqual(64 * MIB, int(status["Size"]))
        self.assertGreater(int(status["Used"]), 32 * MIB)
        self.assertIn(status["Backend"], ("image", "btrfs"))
        self.assertTrue(status["Reason"])
        self.assertEqual("ok", status["Health"])
        blocks = int(self.docker.exec("one", "df", "-k", "/data").out.split()[-5])
        self.assertLessEqual(blocks * 1024, 64 * MIB)
        self.assertIn("64 MiB", self.fairlead("volume", "usage", "data"))

    def test_growth_is_online_while_a_container_writes(self):
        self.volume("data", size="320m", fstype="xfs")
        self.use("one", "data")
        self.docker("exec", "--detach", "one", "sh", "-c",
                    "while true; do date >> /data/log; sync /data/log; done")
        self.assertFalse(self.fill("one", 400))
        self.docker.exec("one", "rm", "-f", "/data/large")
        self.assertEqual("data: 640 MiB", self.fairlead("volume", "resize", "data", "+320m"))
        self.assertTrue(self.fill("one", 400))
        self.assertEqual(640 * MIB, int(self.status("data")["Size"]))
        before = self.docker.exec("one", "wc", "-l", "/data/log").out
        eventually(lambda: self.docker.exec("one", "wc", "-l", "/data/log").out != before, "the writer to go on")

    def test_ext4_grows_when_nobody_has_it_mounted(self):
        self.volume("data", size="32m", fstype="ext4")
        self.use("one", "data")
        self.write("one", "kept")
        self.docker.remove("one")
        self.fairlead("volume", "resize", "data", "96m")
        self.use("two", "data")
        self.assertEqual("kept", self.read("two"))
        self.assertTrue(self.fill("two", 64))

    def test_what_is_used_cannot_be_taken_away(self):
        self.volume("data", size="64m")
        self.use("one", "data")
        self.assertTrue(self.fill("one", 40))
        self.docker.remove("one")
        said = self.fairlead_fails("volume", "resize", "data", "16m")
        self.assertIn('resize volume "data"', said)
        self.assertEqual(64 * MIB, int(self.status("data")["Size"]))

    def test_the_owner_the_mode_and_the_inodes_are_as_asked(self):
        self.volume("data", size="64m", uid="1000", gid="1001", mode="2750")
        self.docker.run("one", "--network", "none", "--volume", "data:/own", command=("sleep", "3600"))
        self.assertEqual("1000 1001 2750\n", self.docker.exec("one", "stat", "-c", "%u %g %a", "/own").out)
        self.assertGreater(int(self.status("data")["Inodes"]), 0)

    def test_an_empty_sized_volume_gets_the_image_s_data(self):
        self.volume("data", size="64m")
        self.docker.run("one", "--network", "none", "--volume", "data:/seed", command=("sleep", "3600"))
        self.assertEqual(images.SEED_TEXT, self.docker.exec("one", "cat", images.SEED_FILE).out)

    def test_an_encrypted_volume_shows_its_content_to_its_containers_only(self):
        if not os.path.exists("/sys/fs/ext4/features/encryption"):
            self.skipTest("this kernel has no fscrypt for ext4")
        self.host.write("/run/host/key", secrets.token_hex(32))
        self.host.path("/run/host/key").chmod(0o600)
        self.volume("data", size="64m", encrypt="fscrypt", keyfile="/run/host/key")
        self.use("one", "data")
        self.write("one", "the-secret-of-the-shop")
        image = self.docker.inspect("volume", "data")["Mountpoint"].removesuffix("fs/_data") + "disk.img"
        self.docker.remove("one")
        self.assertNotIn(b"the-secret-of-the-shop", self.host.path(image).read_bytes())
        self.assertEqual("the-secret-of-the-shop", self.content("data"))
        self.host.write("/run/host/key", secrets.token_hex(32))
        said = self.docker.fails("run", "--rm", "--network", "none", "--volume", "data:/data", images.IMAGE, "true")
        self.assertIn("another key", said)

    def test_removed_means_that_nothing_is_left(self):
        with self.leaving_nothing():
            self.volume("data", size="64m")
            self.use("one", "data")
            self.docker.remove("one")
            self.docker("volume", "rm", "data")


class Errors(DepthCase):
    def test_of_options_name_the_option_and_what_is_legal(self):
        with self.leaving_nothing():
            for options, hints in (({"size": "64q"}, ("size", "64q")), ({"size": "0"}, ("size",)),
                                   ({"fstype": "ntfs"}, ("fstype", "ext4")), ({"pool": "nowhere"}, ("nowhere",)),
                                   ({"from_": "nothing"}, ("nothing",)), ({"access": "alone"}, ("single",)),
                                   ({"snapshots": "sometimes:3"}, ("snapshots", "hourly")),
                                   ({"backend": "imgae", "size": "64m"}, ("imgae", "image")),
                                   ({"retain": "soon"}, ("retain",)), ({"idmap": "0"}, ("idmap",))):
                with self.subTest(str(options)):
                    words = [word for key, value in options.items()
                             for word in ("--opt", f"{key.rstrip('_')}={value}")]
                    said = self.docker.fails("volume", "create", "--driver", "fairlead", *words, "data")
                    for hint in hints:
                        self.assertIn(hint, said)
                    self.assertNotIn("internal", said.lower())

    def test_of_the_same_volume_with_another_size_name_the_difference(self):
        self.volume("data", size="64m")  # Docker itself does not ask its plugin again (moby #16068)
        said = self.fairlead_fails("volume", "create", "-o", "size=128m", "data")
        self.assertIn("64m", said)
        self.assertIn("128m", said)

    def test_of_words_on_the_command_line_help(self):
        self.volume("data", size="64m")
        self.fairlead("snapshot", "create", "data", "monday")
        self.assertIn('did you mean "monday"', self.fairlead_fails("volume", "rollback", "data", "mondy"))
        self.assertIn('did you mean "data"', self.fairlead_fails("volume", "resize", "dta", "1g"))
        self.assertIn("--help", self.fairlead_fails("volume", "resize", "data", "large"))

    def test_of_a_second_container_on_a_single_volume(self):
        self.volume("data", access="single")
        self.use("one", "data")
        said = self.docker.fails("run", "--rm", "--network", "none", "--volume", "data:/data", images.IMAGE, "true")
        self.assertIn("single", said)
        self.docker.remove("one")
        self.use("two", "data")


class Content:
    """Snapshots and what is made of them; mixed in below, once for each way to keep volumes."""

    size = "256m"

    def test_a_database_survives_a_snapshot_under_write_load(self):
        self.volume("data", size=self.size)
        self.use("holder", "data")
        mountpoint = self.docker.inspect("volume", "data")["Mountpoint"]
        self.host.write("/run/host/writer.py", WRITER)
        self.host.write("/run/host/reader.py", READER)
        counter = self.host.path("/run/host/rows")
        counter.unlink(missing_ok=True)
        writer = self.host.start("/usr/bin/python3", "/run/host/writer.py", mountpoint + "/db", "/run/host/rows",
                                 name="writer")
        try:
            for name in ("first", "second"):
                before = self._rows(writer, counter, 50 if name == "first" else self._rows(writer, counter, 0))
                self.fairlead("snapshot", "create", f"data@{name}")
                self.fairlead("volume", "clone", f"data@{name}", f"copy-{name}")
                self._assert_whole(f"copy-{name}", before)
        finally:
            writer.kill()
        self.assertIn("copy-first", self.fairlead("volume", "ls", "-q"))
        report = json.loads(self.fairlead("volume", "check", "copy-first", "--json"))
        self.assertTrue(report["clean"], report)

    def _rows(self, writer, counter, more_than):
        def enough():
            self.assertTrue(writer.running(), writer.log())
            rows = int(counter.read_text()) if counter.exists() else 0
            return rows if rows > more_than else None
        return eventually(enough, f"more than {more_than} rows", deadline=60)

    def _assert_whole(self, volume, least):
        """The database in a clone is whole and has each row that was acknowledged before the snapshot."""
        self.use(f"with-{volume}", volume)
        mountpoint = self.docker.inspect("volume", volume)["Mountpoint"]
        said = self.host.exec("/usr/bin/python3", "/run/host/reader.py", mountpoint + "/db").out.split()
        self.assertEqual("ok", said[0])
        self.assertGreaterEqual(int(said[1]), least)
        self.docker.remove(f"with-{volume}")

    def test_a_clone_has_the_content_and_goes_its_own_way(self):
        self.volume("data", size=self.size)
        self.use("one", "data")
        self.write("one", "old")
        self.fairlead("snapshot", "create", "data", "monday")
        self.write("one", "new")
        self.volume("of-monday", from_="data@monday")
        self.volume("of-now", from_="data")
        self.assertEqual("old", self.content("of-monday"))
        self.assertEqual("new", self.content("of-now"))
        self.use("two", "of-now")
        self.write("two", "newer")
        self.assertEqual("new", self.read("one"))

    def test_a_rollback_keeps_what_was_there(self):
        self.volume("data", size=self.size)
        self.use("one", "data")
        self.write("one", "old")
        self.fairlead("snapshot", "create", "data@monday")
        self.write("one", "new")
        self.assertIn("in use", self.fairlead_fails("volume", "rollback", "data@monday").replace("mounted", "in use"))
        self.docker.remove("one")
        kept = self.fairlead("volume", "rollback", "data@monday", "-q")
        self.assertEqual("old", self.content("data"))
        self.assertRegex(kept, r"^data@")
        self.fairlead("volume", "rollback", kept)
        self.assertEqual("new", self.content("data"))

    def test_inspect_shows_the_snapshots_and_rm_takes_them_away(self):
        self.volume("data", size=self.size)
        for name in ("monday", "tuesday"):
            self.fairlead("snapshot", "create", "data", name)
        self.assertEqual(["monday", "tuesday"], self.status("data")["Snapshots"])
        self.fairlead("snapshot", "rm", "data@monday")
        self.assertEqual(["tuesday"], self.status("data")["Snapshots"])
        self.assertEqual("data@tuesday", self.fairlead("snapshot", "ls", "-q", "data"))

    def test_a_volume_goes_with_its_snapshots(self):
        with self.leaving_nothing():
            self.volume("data", size=self.size)
            self.fairlead("snapshot", "create", "data", "monday")
            self.docker("volume", "rm", "data")

    def test_an_archive_makes_the_same_volume_again(self):
        self.volume("data", size=self.size)
        self.use("one", "data")
        self.write("one", "kept")
        self.docker.exec("one", "sh", "-c", "mkdir -m 2750 /data/in && ln -s ../file /data/in/link && "
                                            "chown 1000:1001 /data/in && ln /data/file /data/in/hard")
        self.fairlead("volume", "export", "data", "-o", "/run/host/data.tar.zst")
        self.fairlead("volume", "import", "again", "/run/host/data.tar.zst")
        self.use("two", "again")
        self.assertEqual("kept", self.read("two", "/data/in/link"))
        for command in (("stat", "-c", "%n %u %g %a", "/data/in", "/data/file"), ("stat", "-c", "%h", "/data/file")):
            self.assertEqual(self.docker.exec("one", *command).out, self.docker.exec("two", *command).out)

    def test_a_backup_writes_what_changed_and_restores_any_of_them(self):
        self.volume("data", size=self.size)
        self.use("one", "data")
        self.docker.exec("one", "dd", "if=/dev/urandom", "of=/data/large", "bs=1M", "count=40")
        self.write("one", "old")
        first = json.loads(self.fairlead("volume", "backup", "data", "--to", "/run/host/backup", "--json"))
        self.write("one", "new")
        second = json.loads(self.fairlead("volume", "backup", "data", "--to", "/run/host/backup", "--json"))
        self.assertLess(second["stored"], first["stored"] / 4)
        self.assertEqual([first["id"], second["id"]], self.fairlead("backup", "ls", "-q", "/run/host/backup").split())
        self.fairlead("backup", "verify", "/run/host/backup")
        self.fairlead("volume", "restore", "data", "--from", "/run/host/backup", "--backup", first["id"], "--as", "a1")
        self.fairlead("volume", "restore", "data", "--from", "/run/host/backup", "--as", "a2")
        self.assertEqual(["old", "new"], [self.content("a1"), self.content("a2")])
        self.assertIn("LastBackup", self.status("data"))


class OfAPool(Content):
    """In a pool that is one file."""

    fstype, room = "btrfs", "1g"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.fairlead("pool", "create", cls.pool, "--size", cls.room, "--fstype", cls.fstype)

    @classmethod
    def tearDownClass(cls):
        cls.host.fairlead("trash", "empty", "-f")
        cls.host.fairlead("pool", "rm", cls.pool)
        super().tearDownClass()


class OfImages(OfAPool, DepthCase):
    """Images in a pool of xfs, which lets their snapshots share blocks."""

    pool, backend, fstype, room = "blocks", "image", "xfs", "3g"


class OnTheHost(DepthCase):
    """Images on the host's own file system, which shares no blocks: snapshots are copies."""

    def test_a_snapshot_is_made_when_nobody_has_it_mounted(self):
        self.volume("data", size="64m")
        self.use("one", "data")
        self.write("one", "old")
        self.assertIn("fairlead pool create", self.fairlead_fails("snapshot", "create", "data", "monday"))
        self.docker.remove("one")
        self.fairlead("snapshot", "create", "data", "monday")
        self.use("two", "data")
        self.write("two", "new")
        self.volume("of-monday", from_="data@monday")
        self.assertEqual("old", self.content("of-monday"))


class InAPool(OfAPool, DepthCase):
    """Subvolumes in a pool of btrfs."""

    pool = "fast"

    def test_a_pool_is_shown_and_not_removed_while_volumes_are_in_it(self):
        self.volume("data", size="64m")
        pool = json.loads(self.fairlead("pool", "inspect", "fast"))[0]
        self.assertEqual(("btrfs", 1), (pool["fstype"], pool["state"]["volumes"]))
        self.assertEqual("btrfs", self.status("data")["Backend"])
        self.assertEqual("fast", self.status("data")["Pool"])
        self.assertIn("fast", self.fairlead_fails("pool", "rm", "fast"))

    def test_a_size_is_a_limit_in_a_pool_too(self):
        self.volume("data", size="64m")
        self.use("one", "data")
        said = self.docker.exec("one", "sh", "-c", "dd if=/dev/zero of=/data/large bs=1M count=96 && sync", check=False)
        self.assertNotEqual(0, said.code)
        self.assertRegex(said.err, "No space left|quota exceeded|Quota exceeded")

    def test_a_subvolume_inside_is_under_the_size_and_part_of_every_copy(self):
        self.volume("data", size="64m")
        self.use("one", "data")
        inside = json.loads(self.fairlead("volume", "inspect", "data"))[0]["state"]["mountpoint"] + "/inner"
        self.host.exec("btrfs", "subvolume", "create", inside)
        said = self.docker.exec("one", "sh", "-c", "dd if=/dev/zero of=/data/inner/large bs=1M count=96 && sync", check=False)
        self.assertRegex(said.err, "No space left|quota exceeded|Quota exceeded")
        self.docker.exec("one", "rm", "/data/inner/large")
        self.write("one", "kept", "/data/inner/file")
        self.docker.remove("one")
        self.assertEqual("ok", self.status("data")["Health"])
        self.fairlead("snapshot", "create", "data", "monday")
        self.fairlead("volume", "clone", "data@monday", "copy")
        self.assertEqual("kept", self.content("copy", "inner/file"))
        self.fairlead("volume", "backup", "data", "--to", "/run/host/inner")
        self.fairlead("volume", "restore", "data", "--from", "/run/host/inner", "--as", "restored")
        self.assertEqual("kept", self.content("restored", "inner/file"))
        self.host.exec("btrfs", "subvolume", "delete", inside)
        self.fairlead("volume", "rollback", "data", "monday")
        self.assertEqual("kept", self.content("data", "inner/file"))
        self.fairlead("snapshot", "rm", "data@monday")

    def test_a_pool_grows(self):
        self.fairlead("pool", "grow", "fast", "1200m")
        self.assertGreaterEqual(json.loads(self.fairlead("pool", "inspect", "fast"))[0]["size"], 1200 * MIB)


class Names(DepthCase):
    def test_a_renamed_volume_keeps_its_content(self):
        self.volume("data")
        self.use("one", "data")
        self.write("one", "kept")
        self.assertIn("sleep", self.fairlead_fails("volume", "rename", "data", "other"))
        self.docker.remove("one")
        self.fairlead("volume", "rename", "data", "other")
        self.docker.volume("other")
        self.assertEqual("kept", self.content("other"))
        self.assertIn("no such volume", self.docker.fails("volume", "inspect", "data").lower())

    def test_a_removed_volume_comes_back_from_the_trash(self):
        self.volume("data", retain="1h")
        self.use("one", "data")
        self.write("one", "kept")
        self.docker.remove("one")
        self.docker("volume", "rm", "data")
        self.assertIn("no such volume", self.docker.fails("volume", "inspect", "data").lower())
        self.assertRegex(self.fairlead("trash", "ls"), re.compile(r"\bdata\b"))
        self.fairlead("trash", "restore", "data")
        self.assertEqual("kept", self.content("data"))
        self.assertEqual("[]", self.fairlead("trash", "ls", "--json"))

    def test_labels_are_set_and_taken_away(self):
        self.volume("data", **{"label.team": "blue"})
        self.fairlead("volume", "label", "data", "team-", "tier=gold")
        self.assertEqual({"tier": "gold"}, json.loads(self.fairlead("volume", "inspect", "data"))[0]["labels"])


class TwoRuntimes(PodmanBeside, DepthCase):
    def test_docker_and_podman_write_to_one_volume_at_the_same_time(self):
        self.volume("shared", size="64m")
        self.use("one", "shared")
        self.podman("volume", "create", "--driver", "fairlead", "--opt", "size=64m", "shared")
        self.use_by_podman("two", "shared")
        self.write("one", "by-docker", "/data/a")
        self.podman("exec", "two", "sh", "-c", "echo by-podman > /data/b")
        self.assertEqual("by-podman", self.read("one", "/data/b"))
        self.assertEqual("by-docker", self.podman("exec", "two", "cat", "/data/a").out.strip())
        self.docker.remove("one")
        self.assertEqual("by-docker", self.podman("exec", "two", "cat", "/data/a").out.strip())
        self.assertIn("in use", self.docker.fails("volume", "rm", "shared"))
        self.podman("exec", "two", "sh", "-c", "echo still > /data/b")
        self.podman("rm", "--force", "--time", "0", "two")
        self.assertEqual("still", self.content("shared", "b"))

    def test_podman_is_told_why_a_volume_cannot_be(self):
        said = self.podman("volume", "create", "--driver", "fairlead", "--opt", "sise=1g", "data", check=False)
        self.assertNotEqual(0, said.code)
        self.assertIn("size", said.err)
        self.assertNotIn("data", self.podman("volume", "ls", "--quiet").out.split())


class GroupsOfTheApi(FairleadCase):
    """Two images that a runtime of one's own uses at once."""

    def call(self, method, path, expected, body=None):
        status, text = ask(self.host.path(API_SOCKET), method, path, body)
        self.assertEqual(expected, status, text)
        return json.loads(text or "null")

    def test_volumes_in_use_go_back_to_one_moment(self):
        names = ("db", "files")
        self.call("POST", "/v1/volume-pools", 201, {"name": "fast", "size": "1g", "fstype": "xfs"})
        for name in names:
            self.call("POST", "/v1/volumes", 201, {"name": name, "options": {"pool": "fast", "size": "32m", "label.group": "shop"}})
        folders = [self.call("POST", f"/v1/volumes/{name}/mount", 200, {"id": "web"})["state"]["mountpoint"] for name in names]
        for folder in folders:
            self.host.write(f"{folder}/file", "monday")
        group = self.call("POST", "/v1/snapshot-groups", 201, {"volumes": "shop", "name": "monday"})
        self.assertEqual(list(names), [one["state"]["volume"] for one in group["snapshots"]])
        again = self.call("POST", "/v1/snapshot-groups", 200, {"volumes": "db,files", "name": "monday"})
        self.assertEqual(group["id"], again["id"])
        for folder in folders:
            self.host.write(f"{folder}/file", "now")
        rollback = f"/v1/snapshot-groups/{group['id']}/rollback"
        user = self.host.start("sh", "-c", f"exec sleep 600 >{folders[1]}/held", name="user")
        self.assertIn('"files"', self.call("POST", rollback, 409)["detail"])
        self.assertEqual(["now", "now"], [self.host.path(f"{folder}/file").read_text() for folder in folders])
        user.kill()
        self.assertEqual(2, len(self.call("POST", rollback, 200)["snapshots"]))
        self.assertEqual(["monday", "monday"], [self.host.path(f"{folder}/file").read_text() for folder in folders])
        for name in names:
            self.call("POST", f"/v1/volumes/{name}/unmount", 204, {"id": "web"})
        self.call("DELETE", f"/v1/snapshot-groups/{group['id']}", 204)
        self.call("GET", f"/v1/snapshot-groups/{group['id']}", 404)
        self.assertIn("nobody", self.call("POST", "/v1/snapshot-groups", 404, {"volumes": "nobody"})["detail"])
        for name in names:
            self.call("DELETE", f"/v1/volumes/{name}", 204)
        eventually(lambda: not self.host.fairlead("pool", "rm", "fast", check=False).code, "the data to be gone")  # behind the answer


class OfMonday(DepthCase):
    def with_monday(self, **options):
        """data, whose file held "monday" when data@monday was made, and holds "now"."""
        self.volume("data", size="64m", **options)
        for text in ("monday", "now"):
            self.use("writer", "data")
            self.write("writer", text)
            self.docker.remove("writer")
            if text == "monday":
                self.host.fairlead("snapshot", "create", "data@monday")


class SnapshotsInDocker(OfMonday):
    """A container has a snapshot, read-only, under its own name."""

    def test_docker_mounts_a_snapshot_by_its_name(self):
        self.with_monday()
        self.use("old", "data@monday")
        self.use("older", "data@monday")
        self.use("now", "data")
        self.assertEqual(["monday", "monday", "now"], [self.read(name) for name in ("old", "older", "now")])
        refused = self.docker.exec("old", "touch", "/data/other", check=False)
        self.assertIn("Read-only file system", refused.out + refused.err)
        self.assertNotIn("data@monday", self.docker("volume", "ls", "--filter", "driver=fairlead", "-q").out.split())
        shown = self.docker.inspect("volume", "data@monday")
        self.assertEqual(("data@monday", "data", True),
                         (shown["Name"], shown["Status"]["SnapshotOf"], shown["Status"]["ReadOnly"]))
        self.docker.remove("now", "older")
        for words in (("snapshot", "rm", "data@monday"), ("volume", "rm", "data")):
            failed = self.host.fairlead(*words, check=False)
            self.assertEqual(1, failed.code)
            self.assertIn("in use: mounted at", failed.err)
        self.docker.remove("old")
        self.host.fairlead("snapshot", "rm", "data@monday")
        self.docker("volume", "rm", "data")

    def test_docker_makes_and_removes_no_snapshot(self):
        self.with_monday()
        self.docker("volume", "create", "--driver", "fairlead", "data@monday")
        self.use("old", "data@monday")
        self.docker.remove("old")
        self.assertIn("fairlead snapshot create data@tuesday",
                      self.docker.fails("volume", "create", "--driver", "fairlead", "data@tuesday"))
        self.assertIn("fairlead snapshot rm data@monday", self.docker.fails("volume", "rm", "data@monday"))
        self.assertEqual("data@monday\n", self.host.fairlead("snapshot", "ls", "-q").out)

    def test_a_daemon_that_dies_leaves_the_container_its_snapshot(self):
        self.with_monday()
        self.use("old", "data@monday")
        self.fairleadd.kill()
        self.assertEqual("monday", self.read("old"))
        self.restart_fairleadd()
        self.assertIn("in use", self.host.fairlead("snapshot", "rm", "data@monday", check=False).err)
        self.docker.remove("old")
        self.host.fairlead("reconcile")
        self.assertNotIn("/views/", self.host.exec("cat", "/proc/self/mountinfo").out)
        self.host.fairlead("snapshot", "rm", "data@monday")


class SnapshotsInDocker26(newer_docker.OfASuite, SnapshotsInDocker):
    suite = "trixie"


class SnapshotsInDocker28(newer_docker.OfASuite, SnapshotsInDocker):
    suite = "sid"


class SnapshotsElsewhere(PodmanBeside, OfMonday):
    """In Podman, as a volume that shows one; and without a container."""

    def test_podman_has_a_volume_that_shows_it(self):
        self.with_monday()
        self.podman("volume", "create", "--driver", "fairlead", "--opt", "snapshot=data@monday", "old")
        for name in ("one", "two"):
            self.use_by_podman(name, "old")
            self.assertEqual("monday\n", self.podman("exec", name, "cat", "/data/file").out)
        self.assertNotEqual(0, self.podman("exec", "one", "touch", "/data/other", check=False).code)
        self.podman("rm", "--force", "--time", "0", "one")
        self.assertEqual("monday\n", self.podman("exec", "two", "cat", "/data/file").out)
        self.assertIn("in use", self.host.fairlead("snapshot", "rm", "data@monday", check=False).err)
        self.podman("rm", "--force", "--time", "0", "two")
        self.podman("volume", "rm", "old")
        self.assertEqual("data@monday\n", self.host.fairlead("snapshot", "ls", "-q").out)
        self.host.fairlead("snapshot", "rm", "data@monday")

    def test_files_are_looked_at_and_taken_out_without_a_container(self):
        self.with_monday()
        run = self.host.fairlead
        self.assertEqual("monday\n", run("volume", "cat", "data@monday:/file").out)
        self.assertEqual("now\n", run("volume", "cat", "data:/file").out)
        run("volume", "backup", "data", "--to", "/run/host/backup")
        self.assertEqual("file\n", run("volume", "ls-files", "data", "--from", "/run/host/backup").out)
        run("volume", "cp", "data:/file", "/run/host/taken", "--from", "/run/host/backup")
        self.assertEqual("now\n", self.host.path("/run/host/taken").read_text())
        listed = self.host.exec("sh", "-c", f"{bin_folder() / 'fairlead'} volume cp data@monday:/ - | tar tf -").out
        self.assertIn("./file\n", listed)
