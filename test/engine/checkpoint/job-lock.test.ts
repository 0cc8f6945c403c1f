import { expect, test } from 'vitest';
import { until } from '../../lab/until.ts';
import { Rig } from '../support/rig.ts';

test('while the fence has a job it is not dumped, and afterwards it is', async () => {
  await using rig = await Rig.make();
  const free = await rig.checkpointer.lockJob(7, 'a freeze', 1_000);
  expect(await rig.ask()).toEqual({ ok: false, status: 404, message: 'a freeze is under way for job 7' });
  expect(await rig.dumps()).toEqual([]);
  free?.();
  await rig.saved();
  expect(await rig.dumps()).toHaveLength(1);
});

test('a dump under way is waited for, but not for ever', async () => {
  await using rig = await Rig.make();
  await rig.leaves('mode', 'wait');
  expect(await rig.ask()).toMatchObject({ ok: true });
  expect(await rig.checkpointer.lockJob(7, 'a freeze', 1_000)).toBeNull();
  await rig.leaves('go', '');
  let free: (() => void) | null = null;
  await until(
    async () => {
      free = await rig.checkpointer.lockJob(7, 'a freeze', 1_000);
      return free !== null;
    },
    { what: 'the job to be free' },
  );
  expect(await rig.ask()).toMatchObject({ status: 404 });
  free!();
});
