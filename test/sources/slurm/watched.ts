import { slurmCommands } from '../../../daemon/slurm/commands.ts';
import { jobQuery } from '../../../daemon/slurm/query-job.ts';
import { type JobWatch, type JobWatchOptions, watchJobs } from '../../../daemon/sources/slurm/job-watch.ts';
import {
  type NodeWatch,
  type NodeWatchOptions,
  watchNodes,
} from '../../../daemon/sources/slurm/node-watch.ts';
import { type SystemExec, systemExec } from '../../../daemon/system/process/exec.ts';
import { ManualClock } from '../../support/clock.ts';
import { Collector } from '../../support/collector.ts';
import { type FakeSlurm, fakeSlurm } from '../../support/fake-slurm/fake-slurm.ts';
import { recordingLog } from '../../support/log.ts';

const MINUTE = 60_000;

export interface World extends AsyncDisposable {
  readonly fake: FakeSlurm;
  readonly clock: ManualClock;
  readonly log: ReturnType<typeof recordingLog>;
  readonly seen: Collector;
  readonly exec: SystemExec;
  watchNodes(options?: Partial<NodeWatchOptions>): NodeWatch;
  watchJobs(options?: Partial<JobWatchOptions>): JobWatch;
}

/** A fake Slurm with real programs, a clock that the test moves, and watches that end with the test. */
export async function world(): Promise<World> {
  const resources = new AsyncDisposableStack();
  const fake = resources.use(await fakeSlurm());
  const clock = new ManualClock();
  const log = recordingLog();
  const seen = new Collector();
  const exec = systemExec({ killAfterMs: 50 });
  const slurm = slurmCommands(fake.bin, 5_000);
  const signal = new AbortController().signal;
  // As if something waited for it: the first looks are made at once.
  const urgent = AbortSignal.abort();
  const common = { exec, clock, log, emit: seen.emit, signal, urgent, slurm, node: 'n1' };
  return {
    fake,
    clock,
    log,
    seen,
    exec,
    watchNodes: (options) =>
      resources.use(watchNodes({ ...common, pollMs: 15_000, nodes: () => [], ...options })),
    watchJobs: (options) =>
      resources.use(
        watchJobs({
          ...common,
          look: jobQuery(exec, slurm),
          spoolDir: fake.spool,
          rescanMs: MINUTE,
          reconcileMs: 30 * MINUTE,
          known: () => [],
          ...options,
        }),
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
