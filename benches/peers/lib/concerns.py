"""What is compared with what: writes, versions, locks, checksums."""

import os
import subprocess
import time

from .table import Column, Peer, micros

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.path.join(HERE, "python.py")
FLOOR = "the C floor"
DURABLE = "file and name durable"


def write(tools, work, quick):
    columns = [durable(tools, "4 KiB", 4096, 40 if quick else 400, quick), durable(tools, "1 MiB", 1 << 20, 6 if quick else 60, True)]
    return columns + [batch(tools, 100 if quick else 1000)]


def durable(tools, title, size, count, short):
    ours = lambda mode, *more: micros(tools.ours, "write", "{}", size, count, mode, *more)
    peers = [Peer(FLOOR, micros(tools.floor, "write", "{}", size, count), DURABLE)]
    peers += [Peer("C: append to a log, fdatasync", micros(tools.floor, "append", "{}", size, count), "what a record costs")]
    if tools.rust:
        rust = lambda peer: micros(tools.rust, peer, "{}", size, count)
        peers += [Peer("Rust tempfile", rust("tempfile"), "file durable, name not")]
        peers += [Peer("Rust atomic-write-file", rust("atomic-write-file"), DURABLE)]
    if tools.glib:
        peers += [Peer("GLib, durable", micros(tools.glib, "{}", size, count), DURABLE)]
    if tools.python:
        peers += [Peer("Python atomicwrites", micros(tools.python, PYTHON, "write", "{}", size, count), DURABLE)]
    peers += [
        Peer("Electrus, atomic write", ours("atomic"), DURABLE),
        Peer("Electrus, secure_write without version", ours("unversioned"), DURABLE + ", locked, verified"),
        Peer("Electrus, secure_write", ours("versioned"), DURABLE + ", locked, verified, versioned"),
    ]
    if not short:
        peers += [Peer("Electrus, secure_write at version 20,000", ours("versioned", 20000), "the same")]
    return Column(f"One write of {title}", "µs", FLOOR, peers)


def batch(tools, count):
    floor, ours = "C, one by one", lambda mode: micros(tools.ours, "batch", "{}", 4096, count, mode)
    peers = [
        Peer(floor, micros(tools.floor, "batch", "{}", 4096, count), DURABLE),
        Peer("C, one syncfs for all", micros(tools.floor, "group", "{}", 4096, count), DURABLE),
        Peer("Electrus, one by one", ours("one-by-one"), DURABLE + ", locked, verified, versioned"),
        Peer("Electrus, one batch", ours("together"), DURABLE + ", locked, verified, versioned"),
    ]
    return Column(f"{count:,} new files of 4 KiB", "µs a file", floor, peers)


def version(tools, work, quick):
    count = 10 if quick else 100
    peers = [Peer(FLOOR, micros(tools.floor, "write", "{}", 4096, count), "a write without version")]
    if tools.find("git"):
        peers += [
            Peer("git --version", lambda folder: processes(count, ["git", "--version"]), "what starting git takes"),
            Peer("write, git commit", lambda folder: commits(folder, count), "not durable"),
            Peer("write, git commit, core.fsync=all", lambda folder: commits(folder, count, "all"), "history durable"),
        ]
    peers += [
        Peer("write, Electrus snapshot", micros(tools.ours, "snapshot", "{}", 4096, count), "history durable"),
        Peer("Electrus, secure_write", micros(tools.ours, "write", "{}", 4096, count, "versioned"), "both durable"),
    ]
    return [Column("One more version of 4 KiB", "µs", FLOOR, peers)]


def processes(count, command, before=lambda turn: None, **options):
    """The median time of a program's run, what comes before it included."""
    times = []
    for turn in range(count):
        start = time.perf_counter()
        before(turn)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


def commits(folder, count, fsync=None):
    git = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@x", "-c", "gc.auto=0"]
    if fsync:
        git += ["-c", f"core.fsync={fsync}"]
    path, content = os.path.join(folder, "f"), os.urandom(4096)

    def edit(turn):
        with open(path, "wb") as file:
            file.write(turn.to_bytes(8, "little") + content[8:])

    edit(count)
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run([*git, "add", "f"], check=True)
    return processes(count, [*git, "commit", "-qam", "x"], edit)


def lock(tools, work, quick):
    scale = 10 if quick else 1
    alone = [
        Peer("C flock", micros(tools.floor, "lock", "{}/l", 200_000 // scale), "open, lock, unlock, close"),
        Peer("C flock, file kept open", micros(tools.floor, "relock", "{}/l", 200_000 // scale), "lock, unlock"),
    ]
    waiting = [Peer("C flock", pair(tools.floor, 200 // scale), "the kernel wakes the waiter")]
    if tools.python:
        kept = micros(tools.python, PYTHON, "lock", "{}/l", 5000 // scale)
        new = micros(tools.python, PYTHON, "lock", "{}/l", 5000 // scale, "new")
        alone += [Peer("filelock", kept, "one object"), Peer("filelock, new object", new)]
        waiting += [Peer("filelock", pair(tools.python, 20, PYTHON), "polls")]
    ours = micros(tools.ours, "lock", "{}/l", 20_000 // scale)
    alone += [Peer("Electrus", ours, "with holder record, gate and check of the sidecar")]
    waiting += [Peer("Electrus", pair(tools.ours, 200 // scale), "with a time-out of 10 s")]
    return [
        Column("Acquire and release, nobody else there", "µs", "C flock", alone, digits=1),
        Column("Hand-over to a process that waits", "µs", "C flock", waiting),
    ]


def pair(program, rounds, *words):
    """Two processes that take the lock from each other; the figures of one of them."""

    def run(folder):
        command = [program, *words, "hand", f"{folder}/l", f"{folder}/state", str(rounds), "2000"]
        twin = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return micros(*command)(folder)
        finally:
            twin.terminate()
            twin.wait()

    return run


def checksum(tools, work, quick):
    big, names, small = os.path.join(work, "big"), os.path.join(work, "names"), os.path.join(work, "small")
    noise(big, (100 << 20) if quick else (1 << 30))
    many_files(small, names, 1000 if quick else 10_000)
    columns = [of_large_file(tools, name, *programs, big) for name, *programs in ALGORITHMS]
    return columns + [in_one_pass(tools, big), of_small_files(tools, small, names)]


# Ours, hashlib's; coreutils' program; openssl's name.
ALGORITHMS = [
    ("md5", "md5sum", "md5"),
    ("sha1", "sha1sum", "sha1"),
    ("sha256", "sha256sum", "sha256"),
    ("sha512", "sha512sum", "sha512"),
    ("blake2b", "b2sum", "blake2b512"),
    ("blake3", None, None),
]


def noise(path, size):
    """Bytes that are the same in no two places, in the page cache."""
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    os.sync()


def many_files(folder, names, count):
    content = os.urandom(4096)
    with open(names, "w") as listed:
        for number in range(count):
            parent = os.path.join(folder, str(number // 500))
            os.makedirs(parent, exist_ok=True)
            path = os.path.join(parent, str(number))
            with open(path, "wb") as file:
                file.write(content[number % 4096 :] + content[: number % 4096])
            listed.write(path + "\n")
    os.sync()


def whole(*command):
    """A program's run from start to end."""
    return lambda folder: processes(1, list(command))


def of_large_file(tools, name, coreutils, openssl, big):
    peers = [Peer("reading alone", micros(tools.floor, "read", big))]
    if openssl and tools.find("openssl"):
        peers += [Peer("openssl", whole("openssl", "dgst", f"-{openssl}", big))]
    if coreutils:
        peers += [Peer("coreutils", whole(coreutils, big))]
    if tools.python:
        title = "Python blake3, all cores, mmap" if name == "blake3" else "Python hashlib"
        peers += [Peer(title, micros(tools.python, PYTHON, "sum", big, name))]
    if tools.find("b3sum") and name == "blake3":
        peers += [Peer("b3sum", whole("b3sum", big))]
    peers += [Peer("Electrus", micros(tools.ours, "sum", big, name))]
    reference = peers[1].name if len(peers) > 2 else peers[0].name
    return Column(f"{name}, a file of {os.path.getsize(big) >> 20} MiB", "µs", reference, peers)


def in_one_pass(tools, big):
    def five_runs(folder):
        return sum(processes(1, ["openssl", "dgst", f"-{openssl}", big]) for _, _, openssl in ALGORITHMS if openssl)

    names = [name for name, _, openssl in ALGORITHMS if openssl]
    peers = [
        Peer("openssl, five runs", five_runs),
        Peer("Electrus, one pass", micros(tools.ours, "sum", big, *names)),
        Peer("Electrus, one pass, blake3 too", micros(tools.ours, "sum", big, *names, "blake3")),
    ]
    return Column("Five digests of it", "µs", peers[0].name, peers)


def of_small_files(tools, small, names):
    with open(names) as listed:
        count = sum(1 for _ in listed)
    peers = [
        Peer("C: open, read, close", micros(tools.floor, "files", names), "one thread"),
        Peer("xargs -P2 sha256sum", whole("xargs", "-a", names, "-P2", "-n", "1000", "sha256sum"), "two processes"),
    ]
    if tools.find("openssl"):
        command = ["xargs", "-a", names, "-P2", "-n", "1000", "openssl", "dgst", "-sha256"]
        peers += [Peer("xargs -P2 openssl", whole(*command), "two processes")]
    if tools.python:
        peers += [Peer("Python hashlib", micros(tools.python, PYTHON, "files", names, "sha256"), "one thread")]
    peers += [Peer("Electrus, tree", micros(tools.ours, "tree", small, "sha256"), "all cores, the walk included")]
    return Column(f"sha256 of {count:,} files of 4 KiB", "µs", peers[1].name, peers)


ALL = {"write": write, "version": version, "lock": lock, "checksum": checksum}
