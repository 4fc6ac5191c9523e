"""Completions in real bash, zsh and fish on a terminal, and the documents as a site."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support.e2e.case import HostCase
from support.e2e.host import bin_folder

HERE = Path(__file__).resolve().parent
TYPE_IN_SHELL = HERE.parent / "support/e2e/type_in_shell.py"
COMPLETIONS = HERE.parent.parent / "packaging/completions"

# What is typed, and the line that the shell makes of it.
TYPED = {
    "fairlead netw\trm sh\t": "fairlead network rm shop",
    "fairlead network inspect shop b\t": "fairlead network inspect shop backend",
    "fairlead port ls --netw\tsh\t": "fairlead port ls --network shop",
    "fairlead port ls --network=sh\t": "fairlead port ls --network=shop",
    "fairlead volume create -o siz\t1g": "fairlead volume create -o size=1g",
    "fairlead volume clone da\t": "fairlead volume clone data",
    "fairlead snapshot rm data@mo\t": "fairlead snapshot rm data@monday",
    "fairlead volume export --output=/etc/hostn\t": "fairlead volume export --output=/etc/hostname",
    "fairlead network create sh\t": "fairlead network create sh",
}


class Completions(HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for words in (("network", "create", "shop"), ("network", "create", "backend"), ("volume", "create", "data"),
                      ("snapshot", "create", "data@monday")):
            cls.host.fairlead(*words)

    def type(self, shell, setting):
        if shutil.which(shell) is None:
            raise unittest.SkipTest(f"{shell} is not installed")
        said = self.host.exec("env", f"PATH={bin_folder()}:/usr/bin:/bin", "python3", TYPE_IN_SHELL, shell, setting, *TYPED).out
        for line, (typed, wanted) in zip(said.splitlines(), TYPED.items(), strict=True):
            self.assertEqual(wanted, line, f"{shell}: {typed!r}")

    def test_bash(self):
        self.type("bash", f"source {COMPLETIONS}/fairlead.bash")

    def test_bash_for_which_an_at_sign_ends_no_word(self):
        self.type("bash", f"COMP_WORDBREAKS=${{COMP_WORDBREAKS//@}}; source {COMPLETIONS}/fairlead.bash")

    def test_zsh(self):
        self.type("zsh", f"autoload -Uz compinit; compinit -u -D; source {COMPLETIONS}/fairlead.zsh")

    def test_fish(self):
        self.type("fish", f"source {COMPLETIONS}/fairlead.fish")

    def test_who_may_not_see_the_names_gets_no_error(self):
        said = self.host.exec("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", bin_folder() / "fairlead",
                              "__complete", "network", "rm", "")
        self.assertEqual((":none\n", ""), (said.out, said.err))


class Documentation(unittest.TestCase):
    """docs/build.sh over a copy of the repository's documents."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if shutil.which("mkdocs") is None:
            raise unittest.SkipTest("mkdocs is not installed")
        cls.copy = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="fairlead-e2e-")))
        repository = HERE.parent.parent
        for folder in ("docs", "examples", "packaging", "plugin-api/native"):
            shutil.copytree(repository / folder, cls.copy / folder)
        for file in (*repository.glob("*.md"), repository / "LICENSE", repository / "mkdocs.yml", *repository.glob("*/README.md")):
            target = cls.copy / file.relative_to(repository)
            target.parent.mkdir(exist_ok=True)
            shutil.copy(file, target)

    def build(self):
        return subprocess.run([self.copy / "docs/build.sh", self.copy / "site"], check=False, capture_output=True, text=True)

    def test_becomes_a_site(self):
        built = self.build()
        self.assertEqual(0, built.returncode, built.stderr)
        for page in ("index.html", "docs/networks.html", "docs/command-line.html", "CHANGELOG.html"):
            self.assertTrue((self.copy / "site" / page).is_file(), page)

    def test_with_a_link_to_nowhere_is_refused(self):
        page = self.copy / "docs/limits.md"
        text = page.read_text()
        self.addCleanup(page.write_text, text)
        page.write_text(text + "\n[nowhere](nowhere.md)\n")
        built = self.build()
        self.assertNotEqual(0, built.returncode)
        self.assertIn("nowhere.md", built.stderr)
