#!/usr/bin/env python3
"""Makes a client of Fairlead's API in Python or Go from plugin-api/native/openapi.json: the package `fairlead` in the folder OUT.

    examples/openapi/generate.py [--cache FOLDER] python|go OUT

The work is OpenAPI Generator's (https://openapi-generator.tech), which needs Java. npm gets it once, pinned, and it stays in the
cache. 4.3.1 is the last release that npm has whole, and it reads OpenAPI 3.0: what ours says in the words of 3.1 is said in
those of 3.0 before. Exit code 75: npm or Java cannot be had.
"""

import argparse
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "plugin-api/native/openapi.json"
VERSION = "4.3.1"
PACKAGE = f"@openapitools/openapi-generator-cli@1.0.18-{VERSION}"
SHA256 = "f438cd16bc1db28d3363e314cefb59384f252361db9cb1a04a322e7eb5b331c1"  # of the program
GENERATORS = {"python": "python", "go": "go-experimental"}  # the second is the "go" of version 5 and newer
UNWANTED = ("git_push.sh", ".travis.yml", ".gitlab-ci.yml", "api/*", "go.mod", "go.sum")
TEMPORARY_FAILURE = 75  # as in sysexits.h


class Unavailable(Exception):
    """Something cannot be had here; the text says why."""


def main():
    options = read_options()
    try:
        make_client(options.cache, options.language, options.out)
    except Unavailable as reason:
        print(f"generate.py: {reason}", file=sys.stderr)
        sys.exit(TEMPORARY_FAILURE)
    except OSError as failure:
        sys.exit(f"generate.py: cannot make the client: {failure}")


def make_client(cache, language, out):
    out.mkdir(parents=True, exist_ok=True)
    generate(generator(cache), language, out)
    if language == "go":
        for model in out.glob("model_*.go"):
            model.write_text(without_clashes(model.read_text(encoding="utf-8")), encoding="utf-8")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/fairlead", help="where the generator is kept (default ~/.cache/fairlead)")
    parser.add_argument("language", choices=GENERATORS)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the client; what is in it stays, and is overwritten where names are the same")
    return parser.parse_args()


# ---- the generator ------------------------------------------------------------------------------------------------

def generator(cache):
    """The program, as a file for java -jar. Two callers at the same time get it once."""
    if not shutil.which("java"):
        raise Unavailable("no java to run OpenAPI Generator with: install default-jre-headless")
    file = cache / f"openapi-generator-{VERSION}.jar"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "openapi-generator.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists() or not is_as_pinned(file.read_bytes()):
            fetch(file)
    return file


def is_as_pinned(program):
    return hashlib.sha256(program).hexdigest() == SHA256


def fetch(file):
    if not shutil.which("npm"):
        raise Unavailable("no npm to get OpenAPI Generator with: install npm")
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(["npm", "pack", "--loglevel", "error", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"npm did not get {PACKAGE} within two minutes") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise Unavailable(f"npm cannot get {PACKAGE}: {done.stderr.strip()[:300]}")
        with tarfile.open(archives[0]) as archive:
            program = archive.extractfile("package/bin/openapi-generator.jar").read()
    if not is_as_pinned(program):
        sys.exit(f"generate.py: what npm got as {PACKAGE} is not what it was when this was written: its program has another SHA-256")
    new = file.with_suffix(".new")
    new.write_bytes(program)
    new.rename(file)


def generate(program, language, out):
    (out / ".openapi-generator-ignore").write_text("\n".join(UNWANTED) + "\n", encoding="ascii")
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as document:
        json.dump(as_3_0(json.loads(DOCUMENT.read_text(encoding="utf-8"))), document)
        document.flush()
        done = subprocess.run(["java", "-jar", program, "generate", "--input-spec", document.name, "--generator-name", GENERATORS[language],
                               "--output", out, "--package-name", "fairlead"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"generate.py: OpenAPI Generator failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


# ---- the document and what is made of it --------------------------------------------------------------------------

def as_3_0(document):
    """The document as OpenAPI 3.0.3 has it."""
    document = in_words_of_3_0(document)
    del document["info"]["license"]["identifier"]
    return {**document, "openapi": "3.0.3"}


def in_words_of_3_0(part):
    if isinstance(part, list):
        return [in_words_of_3_0(element) for element in part]
    if not isinstance(part, dict):
        return part
    part = {key: in_words_of_3_0(value) for key, value in part.items()}
    types = part.get("type")
    if isinstance(types, list):
        # A number of bytes may be a text as well: clients write the text.
        part["type"] = next(name for name in ("string", *types) if name in types)
        if "null" in types:
            part["nullable"] = True
    # "Exactly one of these members": the daemon sees to that; generators would take it for types without a name.
    if types == "object" and all(set(choice) <= {"required", "not"} for choice in part.get("oneOf", [])):
        part.pop("oneOf", None)
    return part


def without_clashes(source):
    """A struct with the members `leader` and `has_leader` gets a field and a method HasLeader, which Go refuses: LeaderIsSet is the method."""
    fields = set(re.findall(r"^\t(\w+) .*`json:", source, re.MULTILINE))
    return re.sub(r"(?<=\) )Has(\w+)(?=\(\) bool \{)", lambda has: f"{has[1]}IsSet" if has[0] in fields else has[0], source)


if __name__ == "__main__":
    main()
