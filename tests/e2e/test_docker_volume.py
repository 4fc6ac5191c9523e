"""Volumes as Docker's users make them."""

from support.e2e import images
from support.e2e.case import DockerCase
from support.e2e.docker import stand_in
from support.e2e.waiting import eventually


class Volumes(DockerCase):
    def test_a_volume_outlives_its_containers(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/data")
        self.docker.exec("one", "sh", "-c", "echo kept > /data/file")
        self.docker.remove("one")
        self.docker.run("two", "--volume", "data:/data")
        self.assertEqual("kept\n", self.docker.exec("two", "cat", "/data/file").out)

    def test_two_containers_share_a_volume(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/data")
        self.docker.run("two", "--volume", "data:/data:ro")
        self.docker.exec("one", "sh", "-c", "echo shared > /data/file")
        self.assertEqual("shared\n", self.docker.exec("two", "cat", "/data/file").out)
        self.assertNotEqual(0, self.docker.exec("two", "touch", "/data/other", check=False).code)
        self.docker.remove("two")
        self.assertEqual("shared\n", self.docker.exec("one", "cat", "/data/file").out)

    def test_an_empty_volume_gets_the_image_s_data_with_its_owners(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/seed")
        self.assertEqual(images.SEED_TEXT, self.docker.exec("one", "cat", images.SEED_FILE).out)
        shown = self.docker.exec("one", "stat", "-c", "%u %a", "/seed", images.SEED_FILE).out
        self.assertEqual(f"{images.SEED_OWNER} 755\n{images.SEED_OWNER} 640\n", shown)

    def test_a_volume_with_data_is_not_filled_again(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/seed")
        self.docker.exec("one", "sh", "-c", f"echo mine > {images.SEED_FILE}")
        self.docker.run("two", "--volume", "data:/seed")
        self.assertEqual("mine\n", self.docker.exec("two", "cat", images.SEED_FILE).out)

    def test_docker_cp_into_and_out_of_a_running_container_leaves_its_volume_mounted(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/data")
        self.host.write("/run/host/copied", "by docker cp\n")
        for _ in range(3):
            self.docker("cp", "/run/host/copied", "one:/data/copied")
            self.docker("cp", "one:/data/copied", "/run/host/back")
        self.assertEqual("by docker cp\n", self.docker.exec("one", "cat", "/data/copied").out)
        self.assertEqual("by docker cp\n", self.host.path("/run/host/back").read_text())
        self.docker("stop", "--time", "1", "one")
        self.docker("cp", "one:/data/copied", "/run/host/back-again")
        self.docker("start", "one")
        self.assertEqual("by docker cp\n", self.docker.exec("one", "cat", "/data/copied").out)

    def test_an_anonymous_volume_goes_with_its_container(self):
        with self.leaving_nothing():
            self.docker.run("one", "--volume-driver", "local" if stand_in() else "fairlead", "--volume", "/data")
            self.assertEqual(1, len(self.docker("volume", "ls", "--quiet").out.split()))
            self.docker.remove("one")
            self.assertEqual("", self.docker("volume", "ls", "--quiet").out)

    def test_removed_means_removed_and_leaves_nothing(self):
        with self.leaving_nothing():
            self.docker.volume("data")
            self.docker.run("one", "--volume", "data:/seed")
            self.assertIn("in use", self.docker.fails("volume", "rm", "data"))
            self.docker.remove("one")
            self.docker("volume", "rm", "data")
        self.assertIn("no such volume", self.docker.fails("volume", "inspect", "data").lower())

    def test_a_volume_made_again_is_empty(self):
        for _ in range(2):
            self.docker.volume("data")
            self.docker.run("one", "--volume", "data:/data")
            self.assertEqual("", self.docker.exec("one", "ls", "/data").out)
            self.docker.exec("one", "touch", "/data/file")
            self.docker.remove("one")
            self.docker("volume", "rm", "data")


class FairleadsVolumes(DockerCase):
    needs_fairlead = True

    # /own is no folder of the image: the owner and mode of one that is would be copied into the empty volume by Docker.
    def test_options_decide_on_the_owner_and_the_mode(self):
        self.docker.volume("data", "--opt", "uid=1000", "--opt", "gid=1001", "--opt", "mode=2750")
        self.docker.run("one", "--volume", "data:/own")
        self.assertEqual("1000 1001 2750\n", self.docker.exec("one", "stat", "-c", "%u %g %a", "/own").out)

    def test_docker_s_own_way_to_write_the_options(self):
        self.docker.volume("data", "--opt", "o=uid=1000,gid=1001,mode=0700")
        self.docker.run("one", "--volume", "data:/own")
        self.assertEqual("1000 1001 700\n", self.docker.exec("one", "stat", "-c", "%u %g %a", "/own").out)

    def test_inspect_shows_status_and_labels(self):
        self.docker.volume("data", "--label", "team=blue", "--opt", "backend=dir")
        shown = self.docker.inspect("volume", "data")
        self.assertEqual("fairlead", shown["Driver"])
        self.assertEqual("dir", shown["Status"]["Backend"])
        self.assertEqual({"team": "blue"}, shown["Labels"])
        self.assertRegex(shown["CreatedAt"], r"^\d{4}-\d\d-\d\dT")
        self.assertTrue(self.host.path(shown["Mountpoint"]).is_dir())
        self.assertIn("data", self.docker("volume", "ls", "--filter", "driver=fairlead").out)

    def test_wrong_names_are_refused_with_a_clear_error(self):
        with self.leaving_nothing():
            for name in ("../escape", "a/b", "with space", ".hidden", "x" * 300):
                with self.subTest(name[:20]):
                    said = self.docker.fails("volume", "create", "--driver", "fairlead", name)
                    self.assertIn("name", said.lower())
                    self.assertNotIn("internal", said.lower())
        self.assertFalse(self.host.path("/var/lib/fairlead/escape").exists())

    def test_wrong_options_are_refused_and_named(self):
        with self.leaving_nothing():
            for option, hint in (("sise=1G", "size"), ("uid=nobody", "uid"), ("backend=dri", "dir"),
                                 ("mode=9999", "mode")):
                with self.subTest(option):
                    said = self.docker.fails("volume", "create", "--driver", "fairlead", "--opt", option, "data")
                    self.assertIn(hint, said)

    def test_the_same_volume_by_the_command_line(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/data")
        names = [volume["name"] for volume in self.host.volumes()]
        self.assertEqual(["data"], names)
        self.assertNotEqual(0, self.host.fairlead("volume", "rm", "data", check=False).code)
        self.assertEqual("", self.docker.exec("one", "ls", "/data").out)

    def test_volumes_stay_mounted_while_fairleadd_is_killed(self):
        self.docker.volume("data")
        self.docker.run("one", "--volume", "data:/data")
        self.docker.exec("one", "sh", "-c", "echo kept > /data/file")
        self.fairleadd.kill()
        self.assertEqual("kept\n", self.docker.exec("one", "cat", "/data/file").out)
        self.restart_fairleadd()
        self.docker.run("two", "--volume", "data:/data")
        self.assertEqual("kept\n", self.docker.exec("two", "cat", "/data/file").out)

    def test_volumes_are_there_after_dockerd_was_killed(self):
        self.docker.volume("data", "--label", "team=blue")
        self.docker.run("one", "--volume", "data:/data")
        self.docker.exec("one", "sh", "-c", "echo kept > /data/file")
        self.docker.kill()
        self.docker.start()
        self.assertEqual({"team": "blue"}, self.docker.inspect("volume", "data")["Labels"])
        self.docker("start", "one")
        eventually(lambda: self.docker.exec("one", "cat", "/data/file").out == "kept\n", "the file")
        self.docker.remove("one")
        with self.leaving_nothing():
            self.docker.run("two", "--volume", "data:/data")
            self.docker.remove("two")
        self.docker("volume", "rm", "data")
