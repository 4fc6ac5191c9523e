"""Programs of newer Debian suites, each set of them in a root folder of its own.

debootstrap makes the folder with the machine's own mirror, once: it stays in FOLDER for the next runs. A suite that cannot
be had (no debootstrap, no mirror, no network) skips the tests that need it, and says why.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import unittest
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("FAIRLEAD_E2E_CACHE", "/var/cache/fairlead-e2e"))
_SCRIPTS = Path("/usr/share/debootstrap/scripts")


class Unavailable(Exception):
    """The suite cannot be had here; the text says why."""


@dataclass(frozen=True)
class Suite:
    name: str  # of the folder
    suite: str
    packages: str  # with commas
    programs: tuple  # commands that succeed in a folder that is whole


def into_root(root, *shared):
    """A shell script that makes `root` the root of a new mount namespace, for the command in its arguments, as process 1 of a
    machine would: runtimes enter mount namespaces at their root, and chroot does not move that. `shared`: mounts made before it."""
    return f"""
        {'; '.join(shared) or ':'}
        cd {root}
        mkdir -p before
        pivot_root . before
        mount --make-rprivate /before
        umount --lazy /before
        mount --make-shared /
        exec "$@"
    """


def mount(host, tree, root, own):
    """Mounts the folder with a layer of changes above at `root` of the host, below /mnt; what is in `own` is the host's. A root can
    only be moved out of private mounts."""
    script = f"""
        mountpoint --quiet /mnt || mount -t tmpfs -o mode=0755 newer-suite /mnt
        mount --make-private /mnt
        mkdir -p {root}.changes {root}.work {root}
        mount -t overlay -o lowerdir={tree},upperdir={root}.changes,workdir={root}.work newer-suite {root}
        mount --make-private {root}
        for folder in {' '.join(own)}; do
            mkdir -p $folder {root}$folder
            mount --rbind $folder {root}$folder
        done
        for file in /etc/resolv.conf /etc/hosts; do
            rm -f {root}$file
            touch {root}$file
            mount --bind $file {root}$file
        done
    """
    host.exec("sh", "-e", "-c", script)


def require(suite):
    """Skips the test when the suite cannot be had."""
    try:
        folder_of(suite)
    except Unavailable as reason:
        raise unittest.SkipTest(str(reason)) from None


@functools.lru_cache(maxsize=None)
def folder_of(suite):
    """The suite's root folder, made when it is not there yet. Two runs at the same time make it once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tree = FOLDER / suite.name
    with open(FOLDER / f"{suite.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir() or not _works(suite, tree):
            _bootstrap(suite, tree)
    return tree


def _works(suite, tree):
    """A folder that somebody cut short, that lacks a package, or that this kernel cannot run, is made anew."""
    return all(subprocess.run(["unshare", "--mount", "sh", "-c", 'mount -t proc proc "$1/proc" && exec chroot "$@"', "sh", str(tree),
                               *program], capture_output=True, check=False).returncode == 0 for program in suite.programs)


def _bootstrap(suite, tree):
    if shutil.which("debootstrap") is None:
        raise Unavailable("debootstrap is not installed")
    new = tree.with_suffix(".new")
    for old in (new, tree):
        shutil.rmtree(old, ignore_errors=True)
    # In a mount namespace of its own: what is mounted meanwhile goes with it, also when it fails.
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={suite.packages}", suite.suite, str(new), _mirror()]
    if not (_SCRIPTS / suite.suite).exists():
        command.append(str(_SCRIPTS / "sid"))  # an older debootstrap, which does not know the suite's name yet
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"debootstrap of {suite.suite} took more than 15 minutes") from None
    if done.returncode != 0 or not _works(suite, new):
        shutil.rmtree(new, ignore_errors=True)
        raise Unavailable(f"debootstrap of {suite.suite}: " + " / ".join((done.stdout + done.stderr).splitlines()[-3:]))
    for package in (new / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    new.rename(tree)


def _mirror():
    """The Debian mirror that this machine's apt uses."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                            capture_output=True, text=True, check=False).stdout.split()
    for uri in listed:
        if uri.rstrip("/").endswith("/debian"):
            return uri
    raise Unavailable("apt knows no mirror of Debian here")
