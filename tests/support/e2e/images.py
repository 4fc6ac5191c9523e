"""What tests need of files: a container image without a registry (busybox, the answer server and a folder of seed data), and
programs that are compiled. Each is made once for all processes of a run, by make_all()."""

import functools
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

IMAGE = "docker.io/library/fairlead-e2e:1"
SEED_FILE = "/seed/file"
SEED_TEXT = "from the image\n"
SEED_OWNER = 1234

_FOLDER = "FAIRLEAD_E2E_MADE"
_HERE = Path(__file__).resolve().parent


def make_all(folder):
    """Makes everything in `folder`, where the processes that are started from now on find it."""
    os.environ[_FOLDER] = str(folder)
    answer_server()
    enter()
    image_archive()


def made(make):
    """A function that makes a file at a path, as one that returns the path of the file, which is made when it is not there."""
    @functools.lru_cache(maxsize=None)
    def path_of():
        path = folder() / make.__name__
        if not path.exists():
            building = path.with_name(f"{path.name}.{os.getpid()}")  # another process may make the same at this moment
            make(building)
            building.rename(path)
        return path
    return functools.update_wrapper(path_of, make)


@made
def answer_server(path):
    """The static answer server."""
    subprocess.run(["gcc", "-Os", "-static", "-o", str(path), str(_HERE / "answer.c")], check=True)


@made
def enter(path):
    """enter PID NET COMMAND...: see enter.cpp."""
    repository = _HERE.parent.parent.parent
    known = ("-DFAIRLEAD_NOLIBC", "-ffreestanding", "-nostdlib", "-nostartfiles", "-fno-tree-loop-distribute-patterns")
    subprocess.run(["g++", "-std=c++20", "-Os", "-static", "-no-pie", "-fno-pie", "-fno-exceptions", "-fno-rtti",
                    "-fno-stack-protector", *(known if os.uname().machine in ("x86_64", "aarch64") else ()), f"-I{repository}",
                    "-o", str(path), str(_HERE / "enter.cpp"), str(repository / "plugin-api/thin/start.cpp")], check=True)


@made
def image_archive(path):
    """A docker-archive with IMAGE in it, for docker load, podman load and ctr images import."""
    write_archive(path, IMAGE, base_layer())


def write_archive(path, image, *layers, configuration=None):
    """A docker-archive with an image of these layers, tar files as bytes."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, **(configuration or {})},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for digest in digests]},
        "history": [{"created_by": "fairlead"} for _ in layers],
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [image], "Layers": [digest + "/layer.tar" for digest in digests]}])
    with tarfile.open(path, "w") as archive:
        _add_file(archive, config_name, config)
        for digest, layer in zip(digests, layers):
            _add_file(archive, digest + "/layer.tar", layer)
        _add_file(archive, "manifest.json", manifest.encode())


def root_filesystem(folder):
    """Unpacks the image's root into `folder` (for runtimes that take a folder)."""
    with tarfile.open(fileobj=io.BytesIO(base_layer())) as archive:
        archive.extractall(folder)


@functools.lru_cache(maxsize=None)
def base_layer():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "etc", "proc", "sys", "dev", "tmp", "run", "www", "data"):
            _add_folder(archive, folder)
        _add_file(archive, "bin/busybox", Path("/bin/busybox").read_bytes(), 0o755)
        _add_file(archive, "bin/answer", answer_server().read_bytes(), 0o755)
        for applet in _applets():
            _add_link(archive, "bin/" + applet, "busybox")
        _add_file(archive, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        _add_file(archive, "etc/group", b"root:x:0:\n")
        _add_file(archive, "www/index.html", b"hello\n")
        _add_folder(archive, "seed", owner=SEED_OWNER)
        _add_file(archive, SEED_FILE[1:], SEED_TEXT.encode(), 0o640, SEED_OWNER)
    return buffer.getvalue()


def _applets():
    listed = subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split()
    return [applet for applet in listed if applet != "busybox"]


@functools.lru_cache(maxsize=None)
def _scratch_folder():
    return tempfile.TemporaryDirectory(prefix="fairlead-e2e-")


def folder():
    return Path(os.environ.get(_FOLDER) or _scratch_folder().name)


def _add_file(archive, name, data, mode=0o644, owner=0):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.gid = len(data), mode, owner, owner
    archive.addfile(info, io.BytesIO(data))


def _add_folder(archive, name, owner=0):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, 0o755, owner, owner
    archive.addfile(info)


def _add_link(archive, name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    archive.addfile(info)
