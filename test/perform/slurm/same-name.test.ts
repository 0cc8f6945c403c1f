import { expect, test } from 'vitest';
import { slurmActions } from '../../../daemon/perform/slurm/slurm-actions.ts';
import { slurmCommands } from '../../../daemon/slurm/commands.ts';
import { jobQuery } from '../../../daemon/slurm/query-job.ts';
import { systemClock } from '../../../daemon/system/clock.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { fakeSlurm } from '../../support/fake-slurm/fake-slurm.ts';

/** When `fakeSlurm`'s jobs were submitted. */
const SUBMITTED = 1_795_461_250_000;

test.each(['RUNNING', 'SUSPENDED'])(
  'beside a %s run a newer job of its name is the restored job of another run',
  async (State) => {
    await using fake = await fakeSlurm();
    const exec = systemExec();
    const slurm = slurmCommands(fake.bin, 5_000);
    const { lookForRestored } = slurmActions(
      { clock: systemClock(), exec, slurm, look: jobQuery(exec, slurm) },
      () => null,
    );
    const look = () =>
      lookForRestored({ jobId: 7, restarts: 0, since: SUBMITTED + 10_000 }, new AbortController().signal);
    await fake.setJob(7, { State });
    await fake.setJob(8, { State: 'CANCELLED' });
    await fake.setJob(13, { SubmitTime: SUBMITTED / 1000 + 10 });
    expect(await look()).toMatchObject({ type: 'not-yet' });
    await fake.setJob(7, { State: 'COMPLETING' });
    expect(await look()).toMatchObject({ type: 'happened' });
  },
);
