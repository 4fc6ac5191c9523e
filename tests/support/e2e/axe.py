"""axe-core, which looks for what keeps people with a screen reader, a keyboard or weak eyes from using a page.

Debian has no package of it: npm gets it once, and it stays with the other things that tests keep (see suites.py). Where it cannot
be had, the tests that need it are skipped, and say why.
"""

import fcntl
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from support.e2e.suites import FOLDER, Unavailable

VERSION = "4.14.1"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def source():
    """The script, as text."""
    file = FOLDER / f"axe-core-{VERSION}.js"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "axe-core.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            _fetch(file)
    return file.read_text(encoding="utf-8")


def _fetch(file):
    if not shutil.which("npm"):
        raise Unavailable("no npm to get axe-core with")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["npm", "pack", "--silent", f"axe-core@{VERSION}"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise Unavailable(f"npm cannot get axe-core: {done.stderr.strip()[-200:]}")
        with tarfile.open(archives[0]) as archive:
            text = archive.extractfile("package/axe.min.js").read()
    made = file.with_suffix(".new")
    made.write_bytes(text)
    made.rename(file)


def violations(browser, script):
    """What axe finds on the page as it is now: one line for each element."""
    browser.run(f"window.axe ? null : (() => {{ {script}; return null; }})()")
    tags = ", ".join(f"'{rule}'" for rule in RULES)
    found = browser.run(f"axe.run(document, {{runOnly: [{tags}]}}).then(result => result.violations.map(one => "
                        "({id: one.id, help: one.help, nodes: one.nodes.map(node => node.target.join(' ') + ': ' + node.failureSummary)})))")
    return [f"{one['id']} ({one['help']}): {node}" for one in found for node in one["nodes"]]
