#!/usr/bin/python3
"""Holds MB megabytes of chance (default 500), or of text, looks one block over each tick, and all at the end."""
import hashlib
import os
import sys
import time

BLOCK = 4 << 20
finish = f"/shared/finish-{os.environ['SLURM_JOB_ID']}"


def block(number):
    if os.environ.get("FILL") == "text":
        return bytearray((b"%d," % number * BLOCK)[:BLOCK])
    return bytearray(os.urandom(BLOCK))


def checksum(block):
    return hashlib.blake2b(block).digest()


print("start on", os.environ["SLURMD_NODENAME"], flush=True)
blocks = [block(number) for number in range(int(os.environ.get("MB", "500")) * (1 << 20) // BLOCK)]
sums = [checksum(block) for block in blocks]
i = 0
while not os.path.exists(finish):
    i += 1
    at = i % len(blocks)
    print(f"i={i}" if checksum(blocks[at]) == sums[at] else f"block {at} is broken", flush=True)
    time.sleep(0.1)
broken = [at for at, block in enumerate(blocks) if checksum(block) != sums[at]]
print(f"blocks {broken} are broken" if broken else f"last={i}", flush=True)
sys.exit(1 if broken else 5)
