"""Peers written in Python, timed inside. Each prints one line of JSON with times in microseconds.

    python.py write DIR SIZE COUNT              atomicwrites
    python.py lock FILE COUNT [new]             filelock, one object or a new one each time
    python.py hand FILE STATE ROUNDS HOLD_US    filelock, one side of a hand-over (start two)
    python.py sum FILE ALGORITHM                hashlib, or the package blake3
    python.py files LIST ALGORITHM              hashlib over each file that LIST names
"""

import hashlib
import json
import os
import struct
import sys
import time


def report(times, each=1):
    times.sort()
    at = lambda tenths: times[(len(times) - 1) * tenths // 10] * 1e6 / each
    print(json.dumps({"n": len(times) * each, "median_us": at(5), "p10_us": at(1), "p90_us": at(9)}))


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write(folder, size, count):
    from atomicwrites import atomic_write

    path, content = os.path.join(folder, "f"), bytearray(os.urandom(size))

    def replace(turn):
        content[:8] = struct.pack("<Q", turn)[: len(content)]
        with atomic_write(path, mode="wb", overwrite=True) as file:
            file.write(content)

    report([timed(lambda: replace(turn)) for turn in range(count)])


def lock(path, count, new=None):
    from filelock import FileLock

    kept = FileLock(path)

    def take():
        for _ in range(count):
            with FileLock(path) if new else kept:
                pass

    report([timed(take)], count)


def read_state(path):
    try:
        with open(path, "rb") as file:
            return struct.unpack("<QQ", file.read(16))
    except (FileNotFoundError, struct.error):
        return 0, 0


def write_state(path, who, when):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as file:
        file.write(struct.pack("<QQ", who, when))


def hand(path, state, rounds, hold):
    from filelock import FileLock

    me, times, end, own = os.getpid(), [], time.monotonic() + 60, FileLock(path)
    while len(times) < rounds and time.monotonic() < end:
        with own:
            acquired = time.time()
            who, when = read_state(state)
            if who not in (0, me):
                times.append(acquired - when / 1e6)
            write_state(state, me, 0)  # the other one starts to wait
            time.sleep(hold / 1e6)
            write_state(state, me, int(time.time() * 1e6))
        patience = time.monotonic() + 0.5
        while read_state(state)[0] == me and time.monotonic() < patience:
            time.sleep(0.0002)
    report(times)


def sum_file(path, algorithm):
    if algorithm == "blake3":
        from blake3 import blake3

        report([timed(lambda: blake3(max_threads=blake3.AUTO).update_mmap(path).digest())])
    else:
        with open(path, "rb") as file:
            report([timed(lambda: hashlib.file_digest(file, algorithm))])


def files(names, algorithm):
    def every():
        for name in open(names):
            with open(name[:-1], "rb") as file:
                hashlib.new(algorithm, file.read()).hexdigest()

    report([timed(every)])


task, rest = sys.argv[1], [int(word) if word.isdigit() else word for word in sys.argv[2:]]
{"write": write, "lock": lock, "hand": hand, "sum": sum_file, "files": files}[task](*rest)
