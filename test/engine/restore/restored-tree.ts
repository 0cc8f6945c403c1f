import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Folder } from '../owner/program/support.ts';

const PYTHON = '/usr/bin/python3';
export const hasPython = spawnSync(PYTHON, ['--version']).status === 0;

/** A restored process, in its own words. */
export interface Restored {
  /** In its own pid namespace. */
  readonly pid: number;
  readonly rlimits: readonly (readonly [soft: number, hard: number])[];
  readonly oomScoreAdj: number;
}

export interface RestoredTree extends AsyncDisposable {
  /** In the place of the batch task: its child is pid 1 of a namespace. */
  readonly task: number;
  /** That child. */
  readonly init: number;
  /** The root first. */
  readonly restored: readonly Restored[];
}

export interface Restoring {
  /** Python that runs in the root. `child(f)` makes a process more, in which `f` runs; `limit(number, soft, hard)`. */
  readonly root?: string;
  /** Whose child the root is: CRIU's, or as it has ended, that of pid 1. */
  readonly below?: 'CRIU' | 'init';
  /** In front of the task's own command. */
  readonly begins?: readonly string[];
}

/** The pid of the root in its namespace. */
export const ROOT = 3;

const PRELUDE = `
import json, os, resource, sys, threading
def about():
  limits = [resource.getrlimit(each) for each in range(16)]
  return {"pid": os.getpid(), "rlimits": limits, "oomScoreAdj": int(open("/proc/self/oom_score_adj").read())}
others = []
def child(body=lambda: None):
  told, tells = os.pipe()
  if os.fork() == 0:
    body()
    os.write(tells, json.dumps(about()).encode())
    sys.stdin.read()
    os._exit(0)
  others.append(json.loads(os.read(told, 65536)))
def limit(number, soft, hard): resource.setrlimit(number, (soft, hard))
`;

/**
 * A tree as CRIU leaves it for the look, in a pid namespace of its own: pid 1, CRIU, and what was restored, all of it
 * waiting.
 */
export async function restoredTree(
  folder: Folder,
  { root = 'pass', below = 'CRIU', begins = [] }: Restoring = {},
): Promise<RestoredTree> {
  const program = folder.at('restored.py');
  const body = root.trim().replaceAll('\n', '\n  ');
  const caught = 'except BaseException as e: print("failed", repr(e), flush=True)';
  const wait = 'print(json.dumps([about()] + others), flush=True); sys.stdin.read()';
  writeFileSync(program, `${PRELUDE}\ntry:\n  ${body}\n${caught}\n${wait}\n`);
  // The shell is pid 1, and what stands for CRIU pid 2.
  const criu = below === 'CRIU' ? `sh -c '${PYTHON} ${program}; true'` : `sleep 1000 & ${PYTHON} ${program}`;
  const args = ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', `cd /; ${criu}; true`];
  const [file, ...words] = [...begins, 'unshare', ...args];
  const task = spawn(file!, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const { value } = await createInterface({ input: task.stdout })[Symbol.asyncIterator]().next();
    if (!value?.startsWith('[')) throw new Error(`the tree is not ready: ${value}`);
    const children = readFileSync(`/proc/${task.pid}/task/${task.pid}/children`, 'latin1');
    const restored = JSON.parse(value) as Restored[];
    return {
      ...{ task: task.pid!, init: Number(children.trim()), restored },
      [Symbol.asyncDispose]: () => end(task),
    };
  } catch (error) {
    await end(task);
    throw error;
  }
}

async function end(task: ChildProcess): Promise<void> {
  const gone = once(task, 'exit');
  task.kill('SIGKILL');
  await gone;
}
