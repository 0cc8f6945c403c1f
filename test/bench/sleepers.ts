import { type Lab, until } from '../lab/lab.ts';

export interface Sleepers {
  readonly count: number;
  /** MB of each, of the node's made-up memory. */
  readonly memory: number;
  /** Default: wherever Slurm puts them. */
  readonly node?: string;
  readonly name?: string;
}

/** So many at a time: slurmd 24.11.5 with a Prolog, an empty one too, hangs for good when 600 jobs start at once. */
const AT_ONCE = 50;

/** Starts jobs that do nothing, and returns when Slurm has all of them running. */
export async function startSleepers(lab: Lab, { count, memory, node, name = 'sleeper' }: Sleepers) {
  const where = node === undefined ? [] : [`--nodelist=${node}`];
  for (let started = 0; started < count; started += AT_ONCE) {
    const batch = Math.min(AT_ONCE, count - started);
    const id = await lab.submit({
      script: '#!/bin/sh\nexec sleep 100000\n',
      options: [
        `--array=1-${batch}`,
        `--mem=${memory}`,
        `--job-name=${name}`,
        '--output=/dev/null',
        ...where,
      ],
    });
    await until(async () => (await runningSteps(lab, id)) >= batch, {
      what: `${batch} more sleepers`,
      timeoutMs: 120_000,
      everyMs: 500,
    });
  }
}

/** Ends all jobs that run. */
export async function stopSleepers({ ctl }: Lab): Promise<void> {
  await ctl.run('scancel --state=RUNNING --user=alice', { reject: false });
}

async function runningSteps({ ctl }: Lab, arrayId: number): Promise<number> {
  return Number((await ctl.run(`squeue -h -r -t R -j ${arrayId} | wc -l`)).stdout);
}
