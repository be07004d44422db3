"""Rounds in which peers take turns, and tables of what they gave."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Callable


@dataclass
class Peer:
    """A row: `run` is given a fresh folder and gives a number."""

    name: str
    run: Callable[[str], float]
    note: str = ""


@dataclass
class Column:
    """What is compared; ratios are to the peer named `reference`."""

    title: str
    unit: str
    reference: str
    peers: list
    digits: int = 0
    invert: bool = False  # larger is better: the ratio says how often the reference's figure it is, either way


def micros(*command):
    """A program that prints one line of JSON, as a function of the folder (`{}` in its words)."""

    def run(folder):
        words = [str(word).replace("{}", folder) for word in command]
        result = subprocess.run(words, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"{' '.join(words)}: {result.stderr.strip()}")
        return json.loads(result.stdout.splitlines()[-1])["median_us"]

    return run


def render(columns, rounds, work):
    return "\n\n".join(one(column, collect(column, rounds, work)) for column in columns)


def collect(column, rounds, work):
    """Folders stay until the end: ext4 is slow to reuse inodes that were freed just before."""
    values = {peer.name: [] for peer in column.peers}
    for turn in range(rounds):
        shift = turn % len(column.peers)
        for peer in column.peers[shift:] + column.peers[:shift]:
            folder = tempfile.mkdtemp(prefix="d-", dir=work)
            try:
                values[peer.name].append(peer.run(folder))
            except (RuntimeError, OSError, ValueError, IndexError) as error:
                print(f"failed: {column.title}, {peer.name}: {error}", file=sys.stderr)
                values[peer.name].append(None)
        os.sync()
    return values


def one(column, values):
    lines = [
        f"| {column.title} | {column.unit} | to {column.reference} | range of that | |",
        "|---|---:|---:|---|---|",
    ]
    for peer in column.peers:
        pairs = [(v, r) for v, r in zip(values[peer.name], values[column.reference]) if v is not None and r]
        if not pairs:
            lines.append(f"| {peer.name} | failed | | | {peer.note} |")
            continue
        ratios = sorted(value / reference for value, reference in pairs)
        middle = statistics.median(value for value, _ in pairs)
        lines.append(
            f"| {peer.name} | {middle:,.{column.digits}f} | {statistics.median(ratios):.2f} | "
            f"{ratios[0]:.2f}–{ratios[-1]:.2f} | {peer.note} |"
        )
    return "\n".join(lines)
