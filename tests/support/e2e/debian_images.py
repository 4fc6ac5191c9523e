"""Images of Debian's packages, for hosts without a network: the machine makes their roots once, in the folder of suites.py."""

import functools
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from support.e2e import suites
from support.e2e.docker import DOCKER, SOCKET

REPOSITORY = Path(__file__).resolve().parents[3]
ENVIRONMENT = {"FAIRLEAD_IMAGE_CACHE": suites.FOLDER, "DOCKER": DOCKER, "DOCKER_HOST": "unix://" + SOCKET}  # of the scripts, on a host
OF_PLUGIN = REPOSITORY / "packaging/docker-plugin/base.sh"
OF_WEBAPP = REPOSITORY / "examples/webapp/images.sh"


@functools.lru_cache(maxsize=None)
def require(script):
    """The script has its root from now on; skips the test when it cannot be had."""
    if shutil.which("debootstrap") is None:
        raise unittest.SkipTest("debootstrap is not installed")
    environment = {**os.environ, "FAIRLEAD_IMAGE_CACHE": str(suites.FOLDER)}
    done = subprocess.run([str(script), "-"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest(" / ".join(done.stderr.splitlines()[-2:]))
