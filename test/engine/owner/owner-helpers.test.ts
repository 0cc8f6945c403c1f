import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import type { AsOwner } from '../../../daemon/engine/owner/as-owner.ts';
import { ownerHelpers } from '../../../daemon/engine/owner/owner-helpers.ts';
import { until } from '../../lab/until.ts';
import { helpers, helpersLeft, spares, sparesLeft } from '../restore/helpers-left.ts';
import { Folder, isRoot, OWNER, PROGRAM, STRANGER, TAG } from './program/support.ts';

const asRoot = test.runIf(isRoot);
const OK = { ok: true, notes: [] };
const ONCE = { ok: true, notes: ['by a process of its own'] } as const;

let stop = new AbortController();
afterEach(async () => {
  stop.abort();
  stop = new AbortController();
  await helpersLeft(0);
  await sparesLeft(0);
});

function scene() {
  const once = vi.fn<AsOwner>(async () => ONCE);
  return { once, ...ownerHelpers(once, PROGRAM, stop.signal) };
}

asRoot('what is asked while a helper is there is done by that one process', async () => {
  using folder = new Folder();
  const { once, helpers: all, asOwner } = scene();
  all.open(7, OWNER);
  const outputs = [{ path: folder.file('out', 'x'), ino: null }];
  expect(await asOwner(OWNER, [{ op: 'set-aside', tag: TAG, outputs }])).toEqual(OK);
  const [pid] = helpers();
  expect(await asOwner(OWNER, [{ op: 'put-back', tag: TAG, outputs, left: false }])).toEqual(OK);
  expect(folder.names()).toEqual(['out']);
  const refused = await asOwner(OWNER, [
    {
      op: 'roll-back',
      tag: TAG,
      files: [{ path: folder.at('none'), ino: '1', size: 0, shared: false }],
      change: true,
    },
  ]);
  expect(refused).toEqual({ ok: false, message: `${folder.at('none')}: it is gone` });
  expect(helpers()).toEqual([pid]);
  expect(once).not.toHaveBeenCalled();
  all.close(7);
  await helpersLeft(0);
});

asRoot(
  'a spare becomes the helper of one job, and the next is there when no restore is under way',
  async () => {
    const { once, helpers: all, asOwner } = scene();
    all.standBy();
    all.standBy();
    await sparesLeft(1);
    const [first] = spares();
    all.open(7, OWNER);
    all.open(8, STRANGER);
    expect(await asOwner(OWNER, [])).toEqual(OK);
    expect(await asOwner(STRANGER, [])).toEqual(OK);
    expect(helpers()).toContain(first);
    expect([helpers().length, spares().length]).toEqual([2, 0]);
    all.close(7);
    all.standBy();
    await helpersLeft(1);
    expect(spares()).toEqual([]);
    all.close(8);
    await helpersLeft(0);
    await sparesLeft(1);
    expect(spares()).not.toContain(first);
    expect(once).not.toHaveBeenCalled();
  },
);

asRoot('a spare that died is done without, and replaced', async () => {
  const { once, helpers: all, asOwner } = scene();
  all.standBy();
  await sparesLeft(1);
  const [first] = spares();
  process.kill(first!, 'SIGKILL');
  // Until this process has heard of it.
  await until(() => !existsSync(`/proc/${first}`), { what: 'the spare to be gone' });
  all.open(7, OWNER);
  expect(await asOwner(OWNER, [])).toEqual(OK);
  expect(helpers()).not.toContain(first);
  all.close(7);
  await sparesLeft(1);
  expect(once).not.toHaveBeenCalled();
});

asRoot.for(['a spare', 'none'])(
  'a helper (before it: %s) has the rights of the owner and no others, and the owner may not trace it',
  async (before) => {
    const { helpers: all, asOwner } = scene();
    if (before === 'a spare') {
      all.standBy();
      await sparesLeft(1);
    }
    const waiting = spares();
    all.open(7, OWNER);
    expect(await asOwner(OWNER, [])).toEqual(OK);
    const pid = helpers()[0]!;
    if (before === 'a spare') expect([pid]).toEqual(waiting);
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const { uid, gid, groups } = OWNER;
    expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]).toBe([uid, uid, uid, uid].join('\t'));
    expect(/^Gid:\s+(.*)$/m.exec(status)?.[1]).toBe([gid, gid, gid, gid].join('\t'));
    expect(/^Groups:\s*(.*?)\s*$/m.exec(status)?.[1]).toBe(groups.join(' '));
    expect(/^CapEff:\s*(.*)$/m.exec(status)?.[1]).toMatch(/^0+$/);
    expect(/^CapPrm:\s*(.*)$/m.exec(status)?.[1]).toMatch(/^0+$/);
    const ids = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
    expect(spawnSync('setpriv', [...ids, 'ls', `/proc/${pid}/fd`]).status).not.toBe(0);
  },
);

asRoot('where no helper is there or free, it is done by a process of its own', async () => {
  const { helpers: all, asOwner } = scene();
  expect(await asOwner(OWNER, [])).toEqual(ONCE);
  all.open(7, OWNER);
  expect(await asOwner(STRANGER, [])).toEqual(ONCE);
  expect(await asOwner({ ...OWNER, groups: [] }, [])).toEqual(ONCE);
  expect(await asOwner(OWNER, [], process.pid)).toEqual(ONCE);
  const both = [asOwner(OWNER, []), asOwner(OWNER, [])];
  expect(await Promise.all(both)).toEqual([OK, ONCE]);
  all.close(7);
  expect(await asOwner(OWNER, [])).toEqual(ONCE);
});

asRoot('a helper that its owner kills is done without', async () => {
  const { helpers: all, asOwner } = scene();
  all.open(7, OWNER);
  expect(await asOwner(OWNER, [])).toEqual(OK);
  process.kill(helpers()[0]!, 'SIGKILL');
  // What it was asked at that very moment fails, as it would have by a process of its own.
  const answers = async () => JSON.stringify(await asOwner(OWNER, []));
  await until(async () => (await answers()) === JSON.stringify(ONCE), {
    what: 'the helper to be done without',
  });
});

asRoot('there are no more than eight, one a job, and none after the engine has ended', async () => {
  const { helpers: all } = scene();
  all.standBy();
  for (let job = 1; job <= 12; job++) all.open(job, OWNER);
  all.open(1, OWNER);
  await helpersLeft(8);
  expect(spares()).toEqual([]);
  stop.abort();
  await helpersLeft(0);
  all.open(1, OWNER);
  all.close(1);
  expect([...helpers(), ...spares()]).toEqual([]);
});

asRoot('a spare ends with the engine', async () => {
  const { helpers: all } = scene();
  all.standBy();
  await sparesLeft(1);
  stop.abort();
  await sparesLeft(0);
});
