import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Folder } from '../as-owner/support.ts';

const PYTHON = '/usr/bin/python3';
export const hasPython = spawnSync(PYTHON, ['--version']).status === 0;

export interface RestoredTree extends AsyncDisposable {
  /** In the place of the batch task: its child is pid 1 of a namespace. */
  readonly task: number;
  /** That child. */
  readonly init: number;
}

/**
 * A tree as CRIU leaves it for the look: root's processes in a pid namespace, of which the first stands for CRIU
 * and the others were restored. `opens` and `criu` are Python that runs in them; CRIU's log is `log`.
 */
export async function restoredTree(
  folder: Folder,
  log: string,
  opens = 'pass',
  criu = '',
): Promise<RestoredTree> {
  const [fifo, restored, first] = ['fifo', 'restored.py', 'criu.py'].map((name) => folder.at(name));
  const body = opens.trim().replaceAll('\n', '\n  ');
  const caught = 'except BaseException as e: print("failed", repr(e), flush=True)';
  const wait = 'import sys; print("ready", flush=True); sys.stdin.read()';
  writeFileSync(restored!, `import os, mmap\ntry:\n  ${body}\n${caught}\n${wait}\n`);
  writeFileSync(first!, `${criu}\nimport time\nprint("ready", flush=True)\ntime.sleep(1000)\n`);
  writeFileSync(log, '');
  chmodSync(log, 0o600);
  spawnSync('mkfifo', [fifo!]);
  // The shell is pid 1, and what it starts first is its first child.
  const script = `cd /; exec 4<&0 0</dev/null; ${PYTHON} ${first} & read -r go < ${fifo}; ${PYTHON} ${restored} 7>>${log} <&4 & wait`;
  const args = ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script];
  const task = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const tree = { task: task.pid!, init: 0, [Symbol.asyncDispose]: () => end(task) };
  try {
    const lines = createInterface({ input: task.stdout })[Symbol.asyncIterator]();
    await ready(lines);
    writeFileSync(fifo!, 'go\n');
    await ready(lines);
    const children = spawnSync('cat', [`/proc/${task.pid}/task/${task.pid}/children`], {
      encoding: 'utf8',
    }).stdout;
    return { ...tree, init: Number(children.trim()) };
  } catch (error) {
    await end(task);
    throw error;
  }
}

async function ready(lines: AsyncIterator<string>): Promise<void> {
  const { value } = await lines.next();
  if (value !== 'ready') throw new Error(`the tree is not ready: ${value}`);
}

async function end(task: ChildProcess): Promise<void> {
  const gone = once(task, 'exit');
  task.kill('SIGKILL');
  await gone;
}
