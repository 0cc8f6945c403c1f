#!/usr/bin/python3
"""Counts until its finish file is there, then takes ever more memory."""
import os
import time

finish = f"/shared/finish-{os.environ['SLURM_JOB_ID']}"
print("start on", os.environ["SLURMD_NODENAME"], flush=True)
i = 0
while not os.path.exists(finish):
    i += 1
    print(f"i={i}", flush=True)
    time.sleep(0.1)
print(f"last={i}", flush=True)
held = []
while True:
    held.append(bytearray(os.urandom(4 << 20)))
