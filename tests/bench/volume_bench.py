#!/usr/bin/env python3
"""Volumes beside what people use today, on the disk below --folder, in one run.

    tests/bench/volume_bench.py [--bin DIR] [--folder DIR] [--gib N] [--files N] [--runs N] [--seconds N] [verbs many snapshot backup fio]

    verbs      create + mount + unmount + remove of dir and image; create + rm through Docker beside its local driver
    many       with 5,000 volumes, 300 of them images that are mounted: lists, status, the daemon's start, memory and what it does at rest,
               beside a dockerd with as many volumes of its local driver
    snapshot   snapshot and clone of a volume of N GiB beside cp
    backup     a first backup of N GiB (half text, half random), unchanged, after 1 % was changed, verify and restore, beside restic,
               tar --zstd and cp; many files (100,000, or --files N) that did not change beside find; the memory that each takes
    fio        a database's writes and a long write in volumes beside the folder's own file system

Needs root, the programs of the release build, and the packages in tests/bench/packages.txt (it installs what is missing).
Prints medians and ratios; asserts nothing: machines are shared and noisy. It uses about 4 x N GiB below --folder meanwhile.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--gib", type=int, default=10)
    parser.add_argument("--files", type=int, default=100_000, help="that did not change")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of fio")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    parts = {"verbs": verbs, "many": many, "snapshot": snapshots, "backup": backups, "fio": fio}
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
        try:
            answer = self._ask(method, path, body)
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            self.close()  # the server has closed a connection that was idle for long: once more over a new one
            answer = self._ask(method, path, body)
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {text.decode()}")
        return json.loads(text) if text else None

    def _ask(self, method, path, body):
        self.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        return self.getresponse()


class Bed:
    """A folder on the disk, and a fairleadd that keeps everything in it."""

    def __init__(self, options):
        self.bin = Path(options.bin).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="fairlead-bench-", dir=options.folder))
        self.daemons = []

    def __enter__(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        os.environ.update(FAIRLEAD_RUN_DIR=str(self.folder / "run"), FAIRLEAD_STATE_DIR=str(self.folder / "state"))
        self.start_fairlead()
        return self

    def start_fairlead(self):
        """Returns how long it took until it answered, in milliseconds."""
        begin = time.monotonic()
        self.daemons.insert(0, self.start([self.bin / "fairleadd", "--plugin-dir", self.folder / "plugins"],
                                          self.folder / "plugins/fairlead.sock"))
        self.plugin = UnixHttp(str(self.folder / "plugins/fairlead.sock"))
        self.volume("List", "")
        return (time.monotonic() - begin) * 1000

    def stop_fairlead(self):
        daemon = self.daemons.pop(0)
        daemon.terminate()
        daemon.wait(60)

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
            daemon = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            try:
                UnixHttp(str(answers_at)).connect()
                return daemon
            except OSError:
                time.sleep(0.005)
        daemon.kill()
        raise RuntimeError(f"{command[0]} does not answer")

    def docker(self):
        where = self.folder / "docker"
        where.mkdir()
        Path("/run/docker/plugins").mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", self.folder / "plugins", "/run/docker/plugins"], check=True)
        self.daemons.append(self.start(["dockerd", "-H", f"unix://{where}/sock", "--data-root", where / "data", "--exec-root", where / "exec",
                                        "--pidfile", where / "pid", "--bridge", "none", "--iptables=false",
                                        "--exec-opt", "native.cgroupdriver=cgroupfs"], where / "sock"))
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


# ---- very many volumes --------------------------------------------------------------------------------------------------

MANY, MOUNTED = 5000, 300


def make_many(bed):
    for number in range(MANY - MOUNTED):
        bed.volume("Create", f"volume-{number:04}")
    for number in range(MOUNTED):
        bed.mounted(f"image-{number:03}", backend="image", size="16m")


def used_seconds(process):
    """Of all cores, since it began."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process):
    return int(Path(f"/proc/{process.pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


def many(bed, options):
    turns = max(5, options.runs // 5)

    def median_of(work, *arguments):
        return statistics.median(timed(work, *arguments) for _ in range(turns))
    made = timed(make_many, bed)
    print(f"  {MANY} volumes were made, and {MOUNTED} of them mounted, in {made / 1000:.0f} s")
    for words in (("volume", "ls"), ("volume", "ls", "-q"), ("volume", "ls", "--json"), ("status",)):
        line(f"fairlead {' '.join(words)}", median_of(bed.fairlead, *words))
    engine = bed.docker()
    for number in range(MANY):
        engine.call("POST", "/volumes/create", {"Name": f"local-{number:04}", "Driver": "local"})
    ours, theirs = [], []
    for _ in range(turns):
        for driver, times in (("fairlead", ours), ("local", theirs)):
            filters = urllib.parse.quote(json.dumps({"driver": [driver]}))
            times.append(timed(engine.call, "GET", f"/volumes?filters={filters}"))
    header("local")
    line("docker volume ls --filter driver=", statistics.median(ours), statistics.median(theirs))
    bed.stop_fairlead()
    warm = statistics.median(restarts(bed, 3))
    line("the daemon's start until it answers", warm)
    Path("/proc/sys/vm/drop_caches").write_text("3")
    line("the same, from the disk", bed.start_fairlead())
    line("its memory", memory_of(bed.daemons[0]), unit="MiB")
    time.sleep(10)  # it looks over all volumes once, beside the first requests
    begin = used_seconds(bed.daemons[0])
    time.sleep(120)
    line("what it uses at rest, of one core, a minute", (used_seconds(bed.daemons[0]) - begin) * 1000 / 2)
    line("its memory after that", memory_of(bed.daemons[0]), unit="MiB")
    line("its stop", timed(bed.stop_fairlead))


def restarts(bed, times):
    for _ in range(times):
        yield bed.start_fairlead()
        bed.stop_fairlead()


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

class Figures:
    """What one run of a program took: seconds on the clock and of all cores, and MiB of memory at most."""

    def __init__(self, argv, environment=None, stdout=None):
        start = time.monotonic()
        process = subprocess.Popen([str(word) for word in argv], env=environment, stdout=stdout or subprocess.DEVNULL, stderr=subprocess.PIPE)
        wrong = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        if process.returncode != 0:
            raise RuntimeError(f"{argv}: {wrong.decode()}")
        self.seconds = time.monotonic() - start
        self.cores = used.ru_utime + used.ru_stime
        self.memory = used.ru_maxrss / 1024


class Table:
    """The medians of what several programs took for one thing, and how they compare with ours."""

    def __init__(self, what):
        self.what, self.runs = what, {}

    def add(self, who, figures):
        self.runs.setdefault(who, []).append(figures)

    def show(self):
        def median(who, which):
            return statistics.median(getattr(one, which) for one in self.runs[who])
        print(f"  {self.what}", flush=True)
        for who in self.runs:
            print(f"    {who:22} {median(who, 'seconds'):8.2f} s {median(who, 'cores'):8.2f} s of cores {median(who, 'memory'):6.0f} MiB"
                  f"    {median(who, 'seconds') / median('fairlead', 'seconds'):5.2f} times fairlead on the clock,"
                  f" {median(who, 'cores') / median('fairlead', 'cores'):5.2f} of cores", flush=True)


def text_and_noise(folder, gib):
    """Files of 8 MiB: half of them text that compresses some 3 to 4 times, half random bytes. Always the same."""
    rng = random.Random(7)
    words = ["".join(rng.choices("etaoinshrdlucmfw", k=rng.randint(2, 9))).encode() for _ in range(4000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    lines = [b" ".join(rng.choices(words, weights, k=14)) + b" %08x\n" % rng.getrandbits(32) for _ in range(90_000)]
    for number in range(gib * 128):
        if number % 2 == 0:
            rng.shuffle(lines)
            content = b"".join(lines)[:8 << 20]
        else:
            content = rng.randbytes(8 << 20)
        (folder / f"file-{number:04}").write_bytes(content)
    os.sync()


def change_one_percent(data):
    """In every file, one block of 1 % of its length."""
    for path in sorted(data.iterdir()):
        with open(path, "r+b") as file:
            size = path.stat().st_size
            file.seek(size // 3)
            file.write(os.urandom(size // 100))
    os.sync()


class Peers:
    """The programs side by side over one folder, each with a place of its own."""

    def __init__(self, bed, volume, data):
        self.bed, self.volume, self.data = bed, volume, data
        self.fresh()

    def fresh(self):
        for name in ("ours", "restic", "tar.zst", "copy", "restored"):
            path = self.bed.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.environment = dict(os.environ, RESTIC_PASSWORD="bench", RESTIC_REPOSITORY=str(self.bed.folder / "restic"))
        self.restic("init")

    def fairlead(self, *words):
        return Figures([self.bed.bin / "fairlead", *words])

    def restic(self, *words):
        return Figures(["restic", "--quiet", "--cache-dir", self.bed.folder / "restic-cache", *words], self.environment)

    def back_up(self, table):
        os.sync()
        table.add("fairlead", self.fairlead("volume", "backup", self.volume, "--to", self.bed.folder / "ours"))
        os.sync()
        table.add("restic", self.restic("backup", self.data))

    def copy(self, table):
        os.sync()
        table.add("tar --zstd", Figures(["tar", "-C", self.data, "--zstd", "-cf", self.bed.folder / "tar.zst", "."]))
        os.sync()
        table.add("cp --reflink=auto", Figures(["cp", "-a", "--reflink=auto", self.data, self.bed.folder / "copy"]))

    def verify(self, table):
        table.add("fairlead", self.fairlead("backup", "verify", self.bed.folder / "ours"))
        table.add("restic check", self.restic("check", "--read-data"))

    def restore(self, table):
        os.sync()
        table.add("fairlead", self.fairlead("volume", "restore", self.volume, "--from", self.bed.folder / "ours", "--as", "again"))
        self.bed.fairlead("volume", "rm", "again")
        os.sync()
        table.add("restic", self.restic("restore", "latest", "--target", self.bed.folder / "restored"))
        shutil.rmtree(self.bed.folder / "restored")

    def stored(self, name):
        return sum(path.stat().st_blocks * 512 for path in (self.bed.folder / name).rglob("*") if path.is_file()) / 2**20


def backups(bed, options):
    data = bed.mounted("big")
    text_and_noise(data, options.gib)
    peers = Peers(bed, "big", data)
    tables = {what: Table(f"{what}, {options.gib} GiB") for what in ("first backup", "unchanged", "verify", "restore", "1 % was changed")}
    turns = max(3, min(options.runs // 10, 5))
    for turn in range(turns):
        if turn > 0:
            peers.fresh()
        peers.back_up(tables["first backup"])
        peers.copy(tables["first backup"])
        peers.back_up(tables["unchanged"])
        peers.verify(tables["verify"])
        peers.restore(tables["restore"])
        change_one_percent(data)
        peers.back_up(tables["1 % was changed"])
    for table in tables.values():
        table.show()
    print(f"  stored: fairlead {peers.stored('ours'):.0f} MiB, restic {peers.stored('restic'):.0f} MiB", flush=True)
    bed.volume("Unmount", "big", ID="bench")
    bed.fairlead("volume", "rm", "big")
    many_files(bed, turns, options.files)


def many_files(bed, turns, count):
    """Files that did not change, a hundred in a folder, beside a program that only asks the kernel for the time of each."""
    data = bed.mounted("many")
    for folder in range(count // 100):
        (data / f"folder-{folder:04}").mkdir()
        for number in range(100):
            (data / f"folder-{folder:04}" / f"some-file-{number:03}").write_bytes(b"%d of %d" % (number, folder))
    os.sync()
    time.sleep(2)  # what changed in the last second is read again
    peers = Peers(bed, "many", data)
    first, again = Table(f"first backup of {count:,} small files"), Table(f"{count:,} files that did not change")
    peers.back_up(first)
    time.sleep(2)
    for _ in range(2 * turns + 1):
        peers.back_up(again)
        again.add("find -newer", Figures(["find", data, "-newer", bed.folder]))
    first.show()
    again.show()
    bed.volume("Unmount", "many", ID="bench")


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
