"""Backups of a tree of sources, or of one large file: first, nothing changed, edited, verified, restored."""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass

STEPS = ["first", "same", "edit", "verify", "restore"]


@dataclass
class Tool:
    """Shell scripts over $S (what is backed up), $R (the repository), $T (where to restore to), $N (number of the backup)."""

    name: str
    init: str
    create: str
    verify: str
    restore: str
    note: str = ""


def known(tools):
    git = "git -c gc.auto=0 -c user.name=x -c user.email=x@x --git-dir=$R --work-tree=$S"
    ours = f"{tools.electrus} -C $S backup --dir $R"
    every = [
        Tool("git add, commit", "git init -q --bare $R", f"{git} add -A . && {git} commit -q --allow-empty -m x",
             "git --git-dir=$R fsck --full", "git --git-dir=$R --work-tree=$T checkout -q -f HEAD -- .",
             "loses empty folders, modes, times"),
        Tool("tar, zstd -3", "mkdir $R", "tar -C $S -cf - . | zstd -q -T0 > $R/$N", "for f in $R/*; do zstd -dqc $f; done",
             "zstd -dqc < $R/2 | tar -C $T -xf -", "not durable"),
        Tool("cp -a", "mkdir $R", "cp -a $S $R/$N", "find $R -type f -print0 | xargs -0 cat", "cp -a $R/2/. $T", "not durable"),
        Tool("restic", "restic -q -r $R init --repository-version 2", "restic -q -r $R backup $S", "restic -q -r $R check --read-data",
             "restic -q -r $R restore latest --target $T", "encrypts"),
        Tool("borg, zstd,3", "borg init -e none $R", "borg create -C zstd,3 $R::$N $S", "borg check --verify-data $R",
             "cd $T && borg extract $R::2"),
        Tool("Electrus", "mkdir $R", f"{ours} create --name n$N .", f"{ours} verify", f"{ours} restore n2 --to $T"),
    ]
    return [tool for tool in every if "/" in tool.create.split()[0] or tools.find(tool.create.split()[0])]


def measure_tree(tools, work, rounds, quick, corpus):
    corpus = corpus or os.path.expanduser("~/.cargo/registry/src")
    sizes = [os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(corpus) for name in names]
    text = f"{len(sizes):,} files, {sum(sizes) >> 20} MiB. Edit: 1 % of the files touched, 10 new, 5 renamed."
    return text + "\n\n" + compete(tools, os.path.join(work, "tree"), rounds, lambda to: copy(corpus, to), edit_tree)


def measure_file(tools, work, rounds, quick, corpus):
    size = (64 << 20) if quick else (1 << 30)
    text = f"One file of {size >> 20} MiB that compresses to about 60 %. Edit: 1 % of it in 256 places, 8 insertions of 100 bytes."
    return text + "\n\n" + compete(tools, os.path.join(work, "file"), rounds, lambda to: make_file(to, size), edit_file, True)


def compete(tools, work, rounds, make, edit, large=False):
    os.makedirs(work)
    original, edited, source = (os.path.join(work, name) for name in ("original", "edited", "source"))
    make(original)
    copy(original, edited)
    copy(original, source)
    edit(edited)
    competitors, found = known(tools), {}
    for turn in range(rounds):
        shift = turn % len(competitors)
        for tool in competitors[shift:] + competitors[:shift]:
            folder = os.path.join(work, f"{turn}-{competitors.index(tool)}")
            try:
                for step, figures in steps(tool, folder, original, edited, source):
                    found.setdefault((tool.name, step), []).append(figures)
            except RuntimeError as error:
                print(f"failed: {error}", file=sys.stderr)
            if large:  # few inodes: removing them now slows nobody, and the room is needed
                shutil.rmtree(folder)
    return render(competitors, found)


def copy(origin, target):
    subprocess.run(["cp", "-a", origin, target], check=True)


def edit_tree(folder):
    """A line more in 1 % of the files, 10 new ones of 20 kB, 5 renamed. The same in every run."""
    choice = random.Random(11)
    files = sorted(os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    files = [path for path in files if not os.path.islink(path)]
    for path in choice.sample(files, max(1, len(files) // 100)):
        with open(path, "ab") as file:
            file.write(b"\n# an edit\n")
    for number in range(10):
        with open(os.path.join(folder, f"new{number}"), "wb") as file:
            file.write(choice.randbytes(20_000))
    for path in choice.sample(files, 5):
        os.rename(path, path + ".renamed")


def make_file(folder, size):
    """Runs of noise and runs of words from a small vocabulary. The same in every run."""
    os.makedirs(folder)
    choice = random.Random(7)
    words = [choice.randbytes(choice.randint(3, 12)) for _ in range(4000)]
    with open(os.path.join(folder, "large"), "wb") as file:
        while (left := size - file.tell()) > 0:
            length = min(left, choice.randint(2_000, 60_000))
            noise = choice.random() < 0.4
            file.write(choice.randbytes(length) if noise else b" ".join(choice.choices(words, k=length // 3))[:length])


def edit_file(folder):
    choice = random.Random(11)
    path = os.path.join(folder, "large")
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        for _ in range(256):
            file.seek(choice.randrange(size - size // 25_600))
            file.write(choice.randbytes(size // 25_600))
        file.seek(0)
        content = file.read()
        file.seek(0)
        last = 0
        for cut in sorted(choice.randrange(size) for _ in range(8)):
            file.write(content[last:cut] + choice.randbytes(100))
            last = cut
        file.write(content[last:])


def steps(tool, folder, original, edited, source):
    """Runs every step, yields (step, wall s, CPU s, peak MiB, repository MiB). Nothing is deleted before the end: ext4 is
    slow to reuse inodes that were freed just before."""
    os.makedirs(folder)
    places = {"S": source, "R": os.path.join(folder, "repository"), "T": os.path.join(folder, "restored")}
    os.mkdir(places["T"])
    environment = {
        **os.environ, **places, "HOME": folder, "RESTIC_PASSWORD": "x", "RESTIC_CACHE_DIR": folder + "/cache",
        "BORG_BASE_DIR": folder + "/borg", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }
    mirror(original, source)
    run(tool, tool.init, environment)
    scripts = [tool.create, tool.create, tool.create, tool.verify, tool.restore]
    for number, (step, script) in enumerate(zip(STEPS, scripts)):
        if step == "edit":
            mirror(edited, source)
        wall, cpu, memory = run(tool, script, {**environment, "N": str(number)})
        yield step, (wall, cpu, memory, size_of(places["R"]))
    compare(tool, source, places["T"])


def mirror(origin, target):
    """Only what differs is written, so that what is unchanged keeps its inode. Times older than a tool's racy second."""
    subprocess.run(["rsync", "-a", "--delete", "--inplace", origin + "/", target + "/"], check=True)
    os.sync()
    subprocess.run(["sleep", "1.1"], check=True)


HELPER = """
import json, resource, subprocess, sys, time
start = time.monotonic()
status = subprocess.run(["sh", "-ec", sys.argv[1]], stdout=subprocess.DEVNULL).returncode
wall, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def run(tool, script, environment):
    result = subprocess.run([sys.executable, "-c", HELPER, script], env=environment, capture_output=True, text=True)
    status, wall, cpu, memory = json.loads(result.stdout)
    if status:
        raise RuntimeError(f"{tool.name}: {script}: {result.stderr.strip()}")
    return wall, cpu, memory


def compare(tool, source, restored):
    """A backup that does not come back is no backup: contents are compared wherever the tool has put the tree."""
    roots = [restored, restored + source, os.path.join(restored, os.path.basename(source))]
    root = next((root for root in roots[::-1] if os.path.isdir(root)), restored)
    answer = subprocess.run(["diff", "-rq", "--no-dereference", source, root], capture_output=True, text=True)
    lines = [line for line in answer.stdout.splitlines() if "Only in" not in line or "git" not in tool.name]
    if lines:
        print(f"{tool.name} restored something else: {lines[0]} (and {len(lines) - 1} more)", file=sys.stderr)


def size_of(folder):
    return sum(os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(folder) for name in names) / (1 << 20)


def render(competitors, found):
    middle = lambda tool, step, field: statistics.median(figures[field] for figures in found[tool.name, step])
    lines = ["| wall s (range) | " + " | ".join(STEPS) + " | MiB | added by the edit | peak MiB | |", "|---" * (len(STEPS) + 5) + "|"]
    competitors = [tool for tool in competitors if all((tool.name, step) in found for step in STEPS)]
    for tool in competitors:
        cells = []
        for step in STEPS:
            walls = sorted(figures[0] for figures in found[tool.name, step])
            cells.append(f"{statistics.median(walls):.2f} ({walls[0]:.2f}–{walls[-1]:.2f})")
        memory = max(middle(tool, step, 2) for step in STEPS)
        stored = middle(tool, "edit", 3)
        cells += [f"{stored:.0f}", f"{stored - middle(tool, 'same', 3):.1f}", f"{memory:.0f}", tool.note]
        lines.append(f"| {tool.name} | " + " | ".join(cells) + " |")
    lines += ["", "| CPU s | " + " | ".join(STEPS) + " |", "|---" * (len(STEPS) + 1) + "|"]
    for tool in competitors:
        lines.append(f"| {tool.name} | " + " | ".join(f"{middle(tool, step, 1):.2f}" for step in STEPS) + " |")
    return "\n".join(lines)
