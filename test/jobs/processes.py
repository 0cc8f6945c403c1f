#!/usr/bin/python3
"""Seven processes: workers behind pipes that share a lock and a counter, and a pool. Each tick checks all of it."""
import multiprocessing as mp
import os
import sys
import time

finish = f"/shared/finish-{os.environ['SLURM_JOB_ID']}"


def work(pipe, lock, counter):
    while True:
        number = pipe.recv()
        with lock:
            counter.value += 1
        pipe.send((os.getpid(), number * number))


def main():
    mp.set_start_method("fork")
    lock, counter = mp.Lock(), mp.Value("i", 0)
    workers = []
    for _ in range(3):
        ours, theirs = mp.Pipe()
        worker = mp.Process(target=work, args=(theirs, lock, counter), daemon=True)
        worker.start()
        workers.append((worker, ours))
    pool = mp.Pool(2)
    print("start on", os.environ["SLURMD_NODENAME"], flush=True)
    i = 0
    while not os.path.exists(finish):
        i += 1
        for _, pipe in workers:
            pipe.send(i)
        answers = [pipe.recv() for _, pipe in workers]
        right = (
            answers == [(worker.pid, i * i) for worker, _ in workers]
            and counter.value == 3 * i
            and sum(pool.map(abs, range(i))) == i * (i - 1) // 2
        )
        print(f"i={i}" if right else f"tick {i} is wrong: {answers} {counter.value}", flush=True)
        time.sleep(0.1)
    pool.terminate()
    print(f"last={i}", flush=True)
    sys.exit(6)


main()
