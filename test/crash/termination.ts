import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rig } from './rig.ts';
import type { Scenario } from './scenario.ts';

/** The node begins to go away, in the way of the story: an administrator drains it, or a notice comes. */
export async function begin({ cause }: Scenario, { cluster, daemon, noticeFile }: Rig): Promise<void> {
  if (cause.type === 'drain') return cluster.drain();
  const { deadlineMs } = cause;
  const deadline = deadlineMs === null ? null : new Date(Date.now() + deadlineMs).toISOString();
  if (cause.type === 'file') {
    await writeFile(`${noticeFile}.new`, JSON.stringify({ deadline }), { mode: 0o600 });
    return rename(`${noticeFile}.new`, noticeFile);
  }
  // A client that is not answered asks again: there may be two notices of it.
  await untilAnswered(
    async () => (await daemon.ask('/v1/notices', 'POST', { kind: 'termination', deadline }))?.status === 201,
  );
}

/** And does not go away after all. */
export async function takeBack({ cause }: Scenario, { cluster, daemon, noticeFile }: Rig): Promise<void> {
  if (cause.type === 'drain') return cluster.resume();
  if (cause.type === 'file') return rm(noticeFile);
  await untilAnswered(async () => {
    const said = (await daemon.ask('/v1/notices'))?.body as { notices?: { id: string }[] } | undefined;
    for (const { id } of said?.notices ?? []) await daemon.ask(`/v1/notices/${id}`, 'DELETE');
    return said?.notices?.length === 0;
  });
}

/** The daemon may be dead at any time. */
async function untilAnswered(ask: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await ask()); await sleep(50)) {
    if (Date.now() > end) throw new Error('the socket does not answer');
  }
}
