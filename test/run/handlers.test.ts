import { expect, test } from 'vitest';
import { EMPTY_STATE } from '../../daemon/decide/decide.ts';
import type { Journal } from '../../daemon/journal/journal.ts';
import { socketHandlers } from '../../daemon/run/handlers.ts';
import type { Loop } from '../../daemon/run/loop.ts';
import { createRequests } from '../../daemon/run/requests.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';
import { noticeOf, Scene } from '../decide/scene.ts';
import { ManualClock } from '../support/clock.ts';

/** The handlers over a loop that only remembers, and the jobs that Slurm was to be asked about. */
function handlers(state = EMPTY_STATE) {
  const events: DaemonEvent[] = [];
  const hints: number[] = [];
  const handle = (event: DaemonEvent) => void events.push(event);
  const loop = { handle, journalFailing: false, state } as Loop;
  const made = socketHandlers({
    loop,
    journal: {} as Journal,
    requests: createRequests(),
    clock: new ManualClock(),
    hint: (jobId) => void hints.push(jobId),
    status: () => ({}),
    metrics: () => '',
    healthy: () => ({ ok: true, message: 'ok' }),
  });
  return { made, events, hints };
}

test('of the nodes of a job only the first asks Slurm at its Prolog and Epilog; all have the event', async () => {
  const { made, events, hints } = handlers();
  const hook = { jobId: 7, restarts: 0, override: {} };
  for (const node of ['n1', 'n2', 'n3']) {
    const env = { SLURMD_NODENAME: node, SLURM_NODELIST: 'n[1-3]', SLURM_JOB_NUM_NODES: '3' };
    await made.prolog({ ...hook, env });
    await made.epilog({ ...hook, env });
  }
  expect(hints).toEqual([7, 7]);
  expect(events.map(({ type }) => type)).toEqual(Array(3).fill(['prolog', 'epilog']).flat());
});

test('a node that is about to go asks Slurm about each job that a hook tells of', async () => {
  const scene = new Scene();
  scene.notices('ec2/spot', noticeOf());
  const { made, hints } = handlers(scene.state);
  const env = { SLURMD_NODENAME: 'n2', SLURM_NODELIST: 'n[1-3]', SLURM_JOB_NUM_NODES: '3' };
  await made.prolog({ jobId: 7, restarts: 0, override: {}, env });
  expect(hints).toEqual([7]);
});
