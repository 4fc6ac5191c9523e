"""The database is lost while containers' data is there: no door makes an empty volume over it, and one command takes it back."""

from support.e2e.case import FairleadCase, PluginCalls

STATE = "/var/lib/fairlead"


class Recover(PluginCalls, FairleadCase):
    def test_a_lost_database_loses_no_volume(self):
        self.done("VolumeDriver.Create", Name="shop", Opts={"label.team": "a", "snapshots": "daily:2", "size": "20m"})
        self.done("VolumeDriver.Create", Name="plain", Opts={})
        folder = self.mounted("plain", "a")
        (folder / "goods").write_text("old")
        self.done("VolumeDriver.Unmount", Name="plain", ID="a")
        self.host.fairlead("snapshot", "create", "plain", "monday")
        before = {volume["name"]: volume for volume in self.host.volumes()}

        self.fairleadd.kill()
        self.host.exec("sh", "-c", f"rm {STATE}/state.db*")
        self.restart_fairleadd()
        self.assertEqual([], self.host.volumes())
        self.assertIn("fairlead volume recover", self.call("VolumeDriver.Create", Name="plain", Opts={})["Err"])
        problems = self.host.fairlead_json("status")["problems"]
        self.assertTrue(any("plain, shop" in problem for problem in problems), problems)

        self.assertIn("would take back volume shop", self.host.fairlead("volume", "recover", "--dry-run").out)
        self.host.fairlead("volume", "recover")
        after = {volume["name"]: volume for volume in self.host.volumes()}
        self.assertEqual(before, after)
        self.done("VolumeDriver.Create", Name="plain", Opts={})  # as Docker does before each run
        folder = self.mounted("plain", "b")
        self.assertEqual("old", (folder / "goods").read_text())
        self.done("VolumeDriver.Unmount", Name="plain", ID="b")
        for name in ("plain", "shop"):
            self.done("VolumeDriver.Remove", Name=name)
