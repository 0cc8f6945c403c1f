#!/usr/bin/python3
"""Keeps its count in files that only its node has: one open in /tmp, others in the scratch folder. Each tick looks
whether all of them are as they were left, and what is not becomes a line of the output."""
import os
import sys
import time

job = os.environ["SLURM_JOB_ID"]
finish = f"/shared/finish-{job}"
tmp = f"/tmp/local-{job}"
work = f"{os.environ.get('SCRATCH', '/scratch')}/{job}"
SPARSE = 64 << 20


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)


def read(path):
    with open(path) as file:
        return file.read()


def make():
    os.makedirs(f"{work}/sub/deeper")
    os.mkdir(f"{work}/empty")
    os.chmod(f"{work}/empty", 0o2750)
    os.chmod(f"{work}/sub", 0o711)
    write(f"{work}/sub/deeper/secret", "for me", 0o600)
    write(f"{work}/sub/deeper/run", "#!/bin/sh\n", 0o755)
    write(f"{work}/sub/name of\nmine ü", "odd")
    os.symlink("sub/deeper/secret", f"{work}/link")
    os.symlink("/nowhere/at all", f"{work}/dangling")
    os.link(f"{work}/sub/deeper/secret", f"{work}/second name")
    with open(f"{work}/sparse", "wb") as file:
        file.seek(SPARSE)
        file.write(b"end")
    write(f"{work}/tick-0", "")


def listing(folder):
    names = []
    for path, folders, files in os.walk(folder):
        names += [os.path.relpath(os.path.join(path, name), folder) for name in folders + files]
    return sorted(names)


def mode(name):
    return oct(os.lstat(os.path.join(work, name)).st_mode)


def wrong(i, kept):
    """What is not as it was left before tick i."""
    kept.seek(0)
    expected = {
        "open file": "".join(f"l={n}\n" for n in range(1, i)),
        "its name": os.fstat(kept.fileno()).st_ino,
        "files": sorted(
            ["dangling", "empty", "link", "second name", "sparse", "sub", "sub/deeper", "sub/deeper/run"]
            + ["sub/deeper/secret", "sub/name of\nmine ü", f"tick-{i - 1}"]
        ),
        "link": ("sub/deeper/secret", "for me"),
        "dangling": "/nowhere/at all",
        "hard link": os.stat(f"{work}/second name").st_ino,
        "odd": "odd",
        "modes": ["0o40751", "0o100600", "0o100755", "0o40711", "0o42750"],
        "sparse": (SPARSE + 3, True, b"end"),
    }
    with open(f"{work}/sparse", "rb") as file:
        stat = os.fstat(file.fileno())
        file.seek(SPARSE)
        sparse = (stat.st_size, stat.st_blocks * 512 < 1 << 20, file.read())
    found = {
        "open file": kept.read(),
        "its name": os.stat(f"{tmp}/kept").st_ino,
        "files": listing(work),
        "link": (os.readlink(f"{work}/link"), read(f"{work}/link")),
        "dangling": os.readlink(f"{work}/dangling"),
        "hard link": os.stat(f"{work}/sub/deeper/secret").st_ino,
        "odd": read(f"{work}/sub/name of\nmine ü"),
        "modes": [mode(tmp), mode("sub/deeper/secret"), mode("sub/deeper/run"), mode("sub"), mode("empty")],
        "sparse": sparse,
    }
    return {what: (found[what], expected[what]) for what in expected if found[what] != expected[what]}


print("start on", os.environ["SLURMD_NODENAME"], flush=True)
if os.path.exists(work):
    print("again after", len(read(f"{tmp}/kept").splitlines()), "with", len(listing(work)), "files", flush=True)
else:
    os.mkdir(tmp)
    os.chmod(tmp, 0o751)
    os.mkdir(work)
    make()
    write(f"{tmp}/kept", "")
kept = open(f"{tmp}/kept", "r+")
i = len(kept.read().splitlines())
while not os.path.exists(finish):
    i += 1
    bad = wrong(i, kept)
    kept.write(f"l={i}\n")
    kept.flush()
    os.rename(f"{work}/tick-{i - 1}", f"{work}/tick-{i}")
    print(f"tick {i} is wrong: {str(bad)[:1000]}" if bad else f"i={i}", flush=True)
    time.sleep(0.1)
print(f"last={i}", flush=True)
sys.exit(4)
