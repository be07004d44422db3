"""Builds and installs what is measured, under target/peers."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

PACKAGES = ["gcc", "git", "libglib2.0-dev", "pkg-config", "openssl", "restic", "borgbackup", "zstd", "python3-venv"]
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))


@dataclass
class Tools:
    """Where everything is; a peer that is `None` is left out of the tables."""

    folder: str
    floor: str
    ours: str
    electrus: str
    python: str | None = None
    glib: str | None = None
    rust: str | None = None
    missing: list = field(default_factory=list)

    def find(self, program):
        found = shutil.which(program)
        if not found and program not in self.missing:
            self.missing.append(program)
            print(f"left out: {program} is not installed", file=sys.stderr)
        return found


def everything():
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    folder = os.path.join(target, "peers")
    os.makedirs(folder, exist_ok=True)
    release = os.path.join(target, "release")
    must(["cargo", "build", "--quiet", "--release", "--bin", "electrus", "--example", "peers-ours"], cwd=ROOT)
    floor = os.path.join(folder, "floor")
    must(["gcc", "-O2", "-o", floor, os.path.join(HERE, "floor.c")])
    tools = Tools(folder, floor, os.path.join(release, "examples", "peers-ours"), os.path.join(release, "electrus"))
    tools.glib = attempt("GLib", os.path.join(folder, "glib"), build_glib)
    tools.rust = attempt("Rust peers", os.path.join(folder, "rs", "release", "peers-rs"), build_rust)
    tools.python = attempt("Python peers", os.path.join(folder, "venv", "bin", "python"), install_python)
    return tools


def must(command, **options):
    subprocess.run(command, check=True, **options)


def attempt(name, path, make):
    try:
        make(path)
        return path
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"left out: {name} ({error})", file=sys.stderr)
        return None


def build_glib(path):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], check=True, capture_output=True, text=True)
    must(["gcc", "-O2", "-o", path, os.path.join(HERE, "glib.c"), *flags.stdout.split()])


def build_rust(path):
    target = os.path.dirname(os.path.dirname(path))
    must(["cargo", "build", "--quiet", "--release", "--target-dir", target], cwd=os.path.join(HERE, "rs"))


def install_python(path):
    modules = "import atomicwrites, filelock, blake3"
    if subprocess.run([path, "-c", modules], capture_output=True).returncode if os.path.exists(path) else True:
        must([sys.executable, "-m", "venv", os.path.dirname(os.path.dirname(path))])
        must([path, "-m", "pip", "install", "--quiet", "atomicwrites", "filelock", "blake3"])
