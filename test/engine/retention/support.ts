import type { RetentionPorts } from '../../../daemon/engine/retention/ports.ts';
import { slurmCommands } from '../../../daemon/slurm/commands.ts';
import { jobLookup, jobQuery } from '../../../daemon/slurm/query-job.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { ManualClock } from '../../support/clock.ts';
import { type FakeSlurm, fakeSlurm } from '../../support/fake-slurm/fake-slurm.ts';
import { type Scene, scene } from '../store/support.ts';

export interface LifeScene extends AsyncDisposable {
  readonly it: Scene;
  readonly slurm: FakeSlurm;
  readonly clock: ManualClock;
  readonly ports: RetentionPorts;
  /** Ends what the test began. */
  readonly stop: AbortController;
  /** Job ids that Slurm was asked for so far, in their order. */
  asked(): Promise<string[]>;
}

/** A real store, Slurm's commands against a Slurm of files, and time that the test moves. */
export async function lifeScene(): Promise<LifeScene> {
  const it = scene();
  const slurm = await fakeSlurm();
  // The files of the store have the machine's times.
  const clock = new ManualClock(Date.now());
  const stop = new AbortController();
  const lookup = jobLookup(jobQuery(systemExec(), slurmCommands(slurm.bin)));
  return {
    it,
    slurm,
    clock,
    stop,
    ports: { store: it.store, lookup, node: 'n1', clock, log: it.log },
    asked: async () => (await slurm.calls('squeue')).map((call) => call[call.indexOf('-j') + 1] ?? ''),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await slurm[Symbol.asyncDispose]();
      it[Symbol.dispose]();
    },
  };
}
