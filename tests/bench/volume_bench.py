#!/usr/bin/env python3
"""Volumes beside what people use today, on the disk below --folder, in one run.

    tests/bench/volume_bench.py [--bin DIR] [--folder DIR] [--gib N] [--runs N] [--seconds N] [verbs snapshot backup fio]

    verbs      create + mount + unmount + remove of dir and image; create + rm through Docker beside its local driver
    snapshot   snapshot and clone of a volume of N GiB beside cp
    backup     a first backup of N GiB, and one after 1 % was changed, beside restic and tar
    fio        a database's writes and a long write in volumes beside the folder's own file system

Needs root, the programs of the release build, and the packages in tests/bench/packages.txt (it installs what is missing).
Prints medians and ratios; asserts nothing: machines are shared and noisy. It uses about 4 x N GiB below --folder meanwhile.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--gib", type=int, default=10)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of fio")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    parts = {"verbs": verbs, "snapshot": snapshots, "backup": backups, "fio": fio}
    unknown = [name for name in options.parts if name not in parts]
    if unknown:
        parser.error(f"unknown part {unknown[0]}; known are {', '.join(parts)}")
    if "FAIRLEAD_BENCH_INSIDE" not in os.environ:
        subprocess.run([ROOT / "packaging/install-packages.sh", ROOT / "tests/bench/packages.txt"], check=True)
        # Its own network and mounts: nothing of it is seen outside, and nothing is left of it.
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv],
                   dict(os.environ, FAIRLEAD_BENCH_INSIDE="1"))
    for name in options.parts or parts:
        print(f"\n== {name}", flush=True)
        with Bed(options) as bed:
            parts[name](bed, options)


def line(what, ours, theirs=None, unit="ms"):
    ratio = f"   {theirs / ours:8.1f} times" if theirs else ""
    peer = f"{theirs:12.3f}" if theirs is not None else " " * 12
    print(f"  {what:62} {ours:12.3f} {peer} {unit}{ratio}", flush=True)


def header(theirs):
    print(f"  {'':62} {'fairlead':>12} {theirs:>12}")


def timed(work, *arguments):
    start = time.monotonic()
    work(*arguments)
    return (time.monotonic() - start) * 1000


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=600)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)

    def call(self, method, path, body=None):
        self.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {text.decode()}")
        return json.loads(text) if text else None


class Bed:
    """A folder on the disk, and a fairleadd that keeps everything in it."""

    def __init__(self, options):
        self.bin = Path(options.bin).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="fairlead-bench-", dir=options.folder))
        self.daemons = []

    def __enter__(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        os.environ.update(FAIRLEAD_RUN_DIR=str(self.folder / "run"), FAIRLEAD_STATE_DIR=str(self.folder / "state"))
        self.start([self.bin / "fairleadd", "--plugin-dir", self.folder / "plugins"], self.folder / "plugins/fairlead.sock")
        self.plugin = UnixHttp(str(self.folder / "plugins/fairlead.sock"))
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(60)
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        for point in reversed([row.split()[1] for row in mounts if row.split()[1].startswith(str(self.folder))]):
            subprocess.run(["umount", "-l", point], check=False)
        time.sleep(0.5)  # loop devices are let go behind the unmount
        subprocess.run(["chattr", "-R", "-f", "-i", str(self.folder)], check=False)  # where pools were mounted
        shutil.rmtree(self.folder)

    def start(self, command, answers_at):
        with open(self.folder / f"{Path(command[0]).name}.log", "wb") as log:
            self.daemons.append(subprocess.Popen([str(word) for word in command], stdout=log, stderr=log))
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            try:
                UnixHttp(str(answers_at)).connect()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{command[0]} does not answer")

    def docker(self):
        where = self.folder / "docker"
        where.mkdir()
        Path("/run/docker/plugins").mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", self.folder / "plugins", "/run/docker/plugins"], check=True)
        self.start(["dockerd", "-H", f"unix://{where}/sock", "--data-root", where / "data", "--exec-root", where / "exec",
                    "--pidfile", where / "pid", "--bridge", "none", "--iptables=false",
                    "--exec-opt", "native.cgroupdriver=cgroupfs"], where / "sock")
        return UnixHttp(str(where / "sock"))

    def fairlead(self, *words):
        done = subprocess.run([self.bin / "fairlead", *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"fairlead {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def volume(self, verb, name, **more):
        return self.plugin.call("POST", f"/VolumeDriver.{verb}", {"Name": name, **more})

    def mounted(self, name, **options):
        """Makes the volume and mounts it; returns its folder."""
        self.volume("Create", name, Opts=options)
        return Path(self.volume("Mount", name, ID="bench")["Mountpoint"])


# ---- create, mount, unmount, remove -----------------------------------------------------------------------------------

def verbs(bed, options):
    for backend, opts in (("dir", {}), ("image", {"backend": "image", "size": "1g"})):
        def cycle():
            bed.volume("Create", "bench", Opts=opts)
            bed.volume("Mount", "bench", ID="m")
            bed.volume("Unmount", "bench", ID="m")
            bed.volume("Remove", "bench")
        cycle()
        line(f"create + mount + unmount + remove ({backend})", statistics.median(timed(cycle) for _ in range(options.runs)))
    engine = bed.docker()

    def through_docker(driver, opts):
        engine.call("POST", "/volumes/create", {"Name": "bench", "Driver": driver, "DriverOpts": opts})
        engine.call("DELETE", "/volumes/bench")
    header("local")
    for backend, opts in (("dir", {}), ("image", {"backend": "image", "size": "1g"})):
        ours, theirs = [], []
        for _ in range(options.runs):
            ours.append(timed(through_docker, "fairlead", opts))
            theirs.append(timed(through_docker, "local", {}))
        line(f"through Docker: create + rm ({backend})", statistics.median(ours), statistics.median(theirs))


# ---- snapshots and clones ---------------------------------------------------------------------------------------------

def fill(folder, gib):
    """Files of 256 MiB that no program can compress or find twice."""
    for number in range(gib * 4):
        subprocess.run(f"openssl enc -aes-128-ctr -nosalt -pass pass:{number} -pbkdf2 -in /dev/zero 2>/dev/null | "
                       f"head -c 256M > {folder}/file-{number}", shell=True, check=True)
    os.sync()


def snapshots(bed, options):
    for fstype, opts in (("xfs", {"backend": "image", "size": f"{options.gib + 2}g"}), ("btrfs", {})):
        bed.fairlead("pool", "create", fstype, "--size", f"{3 * options.gib + 8}g", "--fstype", fstype)
        data = bed.mounted(f"big-{fstype}", pool=fstype, **opts)
        fill(data, options.gib)
        taken, cloned = [], []
        for number in range(max(5, options.runs // 5)):
            taken.append(timed(bed.fairlead, "snapshot", "create", f"big-{fstype}", f"s{number}"))
            cloned.append(timed(bed.fairlead, "volume", "clone", f"big-{fstype}@s{number}", f"clone-{fstype}-{number}"))
        copy = next(place for place in data.parents if place.name == "vol").parent / "copy"  # on the same file system
        copied = timed(lambda: subprocess.run(["cp", "-a", "--reflink=never", data, copy], check=True))
        shutil.rmtree(copy)
        header("cp")
        line(f"snapshot of {options.gib} GiB in a pool of {fstype}, by the command line", statistics.median(taken), copied)
        line(f"clone of {options.gib} GiB in a pool of {fstype}, by the command line", statistics.median(cloned), copied)
        bed.volume("Unmount", f"big-{fstype}", ID="bench")
        for number in range(len(cloned)):
            bed.fairlead("volume", "rm", f"clone-{fstype}-{number}")
        bed.fairlead("volume", "rm", f"big-{fstype}")


# ---- backups ------------------------------------------------------------------------------------------------------------

def change_one_percent(data):
    """In every file, one block of 1 % of its length."""
    for path in sorted(data.iterdir()):
        with open(path, "r+b") as file:
            size = path.stat().st_size
            file.seek(size // 3)
            file.write(os.urandom(size // 100))
    os.sync()


def backups(bed, options):
    data = bed.mounted("big")
    fill(data, options.gib)
    environment = dict(os.environ, RESTIC_PASSWORD="bench", RESTIC_REPOSITORY=str(bed.folder / "restic"))
    restic = ["restic", "--quiet", "--cache-dir", str(bed.folder / "restic-cache")]
    subprocess.run([*restic, "init"], env=environment, check=True)

    def ours():
        bed.fairlead("volume", "backup", "big", "--to", bed.folder / "ours")

    def theirs():
        subprocess.run([*restic, "backup", str(data)], env=environment, check=True)

    def tar():
        subprocess.run(["tar", "-C", str(data), "--zstd", "-cf", str(bed.folder / "tar.zst"), "."], check=True)

    def stored(name):
        return sum(path.stat().st_blocks * 512 for path in (bed.folder / name).rglob("*") if path.is_file()) / 2**20
    for what in (f"first backup of {options.gib} GiB", "after 1 % was changed"):
        figures = {name: timed(work) for name, work in (("ours", ours), ("restic", theirs), ("tar", tar))}
        header("restic")
        line(what, figures["ours"] / 1000, figures["restic"] / 1000, "s")
        header("tar --zstd")
        line(what, figures["ours"] / 1000, figures["tar"] / 1000, "s")
        print(f"  stored so far: fairlead {stored('ours'):.0f} MiB, restic {stored('restic'):.0f} MiB", flush=True)
        change_one_percent(data)
    bed.volume("Unmount", "big", ID="bench")


# ---- reading and writing ------------------------------------------------------------------------------------------------

def fio_run(name, folder, seconds, *words):
    """Into a file that stays: what is deleted goes back to the disk below, and the next run would wait for that."""
    os.sync()  # or this run pays for what the one before has written
    done = subprocess.run(["fio", f"--name={name}", f"--directory={folder}", "--output-format=json", f"--runtime={seconds}", "--time_based",
                           *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["jobs"][0]["write"]


def fio(bed, options):
    bed.fairlead("pool", "create", "btrfs", "--size", "8g", "--fstype", "btrfs")
    host = bed.folder / "host"
    host.mkdir()
    folders = {"dir": bed.mounted("dir"), "image": bed.mounted("image", backend="image", size="4g"),
               "btrfs in a pool file": bed.mounted("btrfs", pool="btrfs")}
    sync = ("--rw=randwrite", "--bs=4k", "--size=256m", "--fdatasync=1", "--ioengine=psync")
    long = ("--rw=write", "--bs=1m", "--size=1g", "--direct=1", "--ioengine=libaio", "--iodepth=8")
    figures = {name: {"iops": [], "bw": []} for name in ("host", *folders)}
    for folder in (host, *folders.values()):
        fio_run("database", folder, 1, *sync)
        fio_run("long", folder, 1, *long)
    for _ in range(9):  # by turns, so that all see the same machine
        for name, folder in (("host", host), *folders.items()):
            figures[name]["iops"].append(fio_run("database", folder, options.seconds, *sync)["iops"])
            figures[name]["bw"].append(fio_run("long", folder, options.seconds, *long)["bw"] / 1024)
    print(f"  {'':30} {'4k + fdatasync, writes a second':>34} {'1m writes, MiB a second':>26}")
    of_host = {what: statistics.median(figures["host"][what]) for what in ("iops", "bw")}
    for name, values in figures.items():
        iops, bandwidth = statistics.median(values["iops"]), statistics.median(values["bw"])
        print(f"  {name:30} {iops:22.0f} ({iops / of_host['iops']:4.2f} x) {bandwidth:17.0f} ({bandwidth / of_host['bw']:4.2f} x)", flush=True)


if __name__ == "__main__":
    main()
