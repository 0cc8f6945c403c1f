/*
 * Runs inside a lab's node: reads a Timing from standard input, runs its command as often as it says, as slurmd runs
 * a Prolog (nothing to read, output through pipes, no environment but what is given), and prints milliseconds as JSON.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Timing {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly runs: number;
  /** Between two runs. */
  readonly pauseMs: number;
  /** A variable that counts up from its first value. */
  readonly counting?: string;
}

export interface Timed {
  /** Wall time from the fork to the end of the output, of each run. */
  readonly wallMs: readonly number[];
  /** CPU time of one run, with what it started. */
  readonly cpuMs: number;
  readonly exitCodes: readonly number[];
}

const { argv, env, runs, pauseMs, counting } = JSON.parse(readFileSync(0, 'utf8')) as Timing;
const [file = '', ...args] = argv;
const nap = new Int32Array(new SharedArrayBuffer(4));
const wallMs: number[] = [];
const exitCodes = new Set<number>();
const cpuBefore = childrenTicks();
for (let run = 0; run < runs; run++) {
  const own = counting ? { [counting]: String(Number(env[counting]) + run) } : {};
  const startedAt = performance.now();
  const { status } = spawnSync(file, args, { env: { ...env, ...own }, stdio: ['ignore', 'pipe', 'pipe'] });
  wallMs.push(performance.now() - startedAt);
  exitCodes.add(status ?? -1);
  Atomics.wait(nap, 0, 0, pauseMs);
}
const cpuMs = ((childrenTicks() - cpuBefore) * 10) / runs;
console.log(JSON.stringify({ wallMs, cpuMs, exitCodes: [...exitCodes] } satisfies Timed));

/** cutime and cstime (proc(5)), in hundredths of a second. */
function childrenTicks(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[13]) + Number(fields[14]);
}
