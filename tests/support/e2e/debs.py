"""Fairlead's Debian packages, made by packaging/build-deb.sh of this tree, once for all processes of a run."""

import fcntl
import functools
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from support.e2e import images

REPOSITORY = Path(__file__).resolve().parents[3]
OLDER = "0.1.9-1"  # the same programs as an older version: the package's scripts go by that number


@functools.lru_cache(maxsize=None)
def package(version=None):
    """The path of fairlead's package; the newest version without one."""
    if os.environ.get("FAIRLEAD_E2E_DEB") and version is None:
        return Path(os.environ["FAIRLEAD_E2E_DEB"])
    if not shutil.which("dh"):
        raise unittest.SkipTest("no debhelper: packaging/deb-packages.txt")
    out = images.folder() / "debs" / (version or "newest")
    with open(_lock_file(), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            _build(out, version)
    return next(out.glob("fairlead_*.deb"))


def _lock_file():
    (REPOSITORY / "build").mkdir(exist_ok=True)
    return REPOSITORY / "build/deb-e2e.lock"


def _build(out, version):
    settings = {"FAIRLEAD_DEB_COMPRESSION": "-Znone", **({"FAIRLEAD_DEB_VERSION": version} if version else {})}
    done = subprocess.run([REPOSITORY / "packaging/build-deb.sh", f"{out}.new"], capture_output=True, text=True, check=False,
                          env={**os.environ, **settings})
    if done.returncode != 0:
        raise AssertionError(f"build-deb.sh:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    Path(f"{out}.new").rename(out)
