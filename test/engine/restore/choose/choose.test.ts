import { expect, test } from 'vitest';
import {
  type Choice,
  choose,
  freshText,
  type Situation,
  standing,
} from '../../../../daemon/engine/restore/choose/choose.ts';
import { OWNER } from '../../owner/program/support.ts';
import { foundOf, id, orderOf } from '../support.ts';

/** Restart 2 of job 7, whose checkpoints were taken in its first two runs. */
function chosen(change: Partial<Situation> = {}): Choice {
  return choose({
    facts: { jobId: 7, restarts: 2, uid: OWNER.uid, name: 'train' },
    uid: OWNER.uid,
    checkpoints: [foundOf({ actionId: id(2), restarts: 1 }), foundOf({ actionId: id(1), restarts: 0 })],
    order: null,
    resumes: true,
    ...change,
  });
}

function told(choice: Choice): string {
  if (choice.type === 'fresh') return freshText(choice.why);
  const ids = choice.candidates.map(({ manifest }) => Number(manifest.actionId.slice(-2)));
  return `${choice.ordered ? 'ordered' : 'resumed'} ${ids.join(' ')}`;
}

const facts = { jobId: 7, restarts: 2, uid: OWNER.uid, name: 'train' };
const newest = foundOf({ actionId: id(2), restarts: 1 });
const older = foundOf({ actionId: id(1), restarts: 0 });
const bad = { deprecated: 'by hand' };

test.each<[string, Partial<Situation>, string]>([
  ['without an order the newest, then the older ones', {}, 'resumed 2 1'],
  ['the ordered one before newer ones', { order: orderOf({ restarts: 2 }) }, 'ordered 1 2'],
  ['an order counts whatever the policy', { order: orderOf({ restarts: 2 }), resumes: false }, 'ordered 1 2'],
  [
    'an order counts under another name: jobs can be renamed',
    { order: orderOf({ restarts: 2 }), facts: { ...facts, name: 'renamed' } },
    'ordered 1 2',
  ],
  [
    'an order for a later run is none either',
    { order: orderOf({ restarts: 3, actionId: id(1) }) },
    'resumed 2 1',
  ],
  [
    'an order for an earlier run is none',
    { order: orderOf({ restarts: 1, actionId: id(1) }) },
    'resumed 2 1',
  ],
  [
    'where the ordered one cannot be read, the others are better than nothing',
    { order: orderOf({ restarts: 2, actionId: id(9) }) },
    'resumed 2 1',
  ],
  [
    'the ordered one was deprecated since',
    { order: orderOf({ restarts: 2 }), checkpoints: [newest, { ...older, ...bad }] },
    'resumed 2',
  ],
  ['a deprecated one is passed over', { checkpoints: [{ ...newest, ...bad }, older] }, 'resumed 1'],
])('%s', (_, change, expected) => {
  expect(told(chosen(change))).toBe(expected);
});

test.each<[string, Partial<Situation>, string, string]>([
  [
    'the policy says so',
    { resumes: false },
    'policy',
    `its policy says resume: false, so checkpoint ${id(2)} is not used`,
  ],
  ['there is none', { checkpoints: [] }, 'none-ready', 'no checkpoint of it can be restored from'],
  [
    'all are deprecated',
    { checkpoints: [{ ...newest, ...bad }] },
    'none-ready',
    'no checkpoint of it can be restored from',
  ],
  [
    'the ordered one is gone, and there is no other',
    { checkpoints: [], order: orderOf({ restarts: 2 }) },
    'none-ready',
    `checkpoint ${id(1)}, which it was to be restored from, cannot be used, and there is no other`,
  ],
  [
    'they are of a job with another name',
    { facts: { ...facts, name: 'other\n' } },
    'other-name',
    `checkpoint ${id(2)} is of a job named "train"`,
  ],
  [
    'the plugin and Slurm do not agree whose it is',
    { uid: 0 },
    'other-owner',
    `the SPANK plugin says it is uid 0's, and Slurm says uid ${OWNER.uid}'s`,
  ],
  [
    'the id was reused by another user',
    { facts: { ...facts, uid: 5 }, uid: 5 },
    'id-reused',
    `checkpoint ${id(2)} is of another job that had this id (it belongs to uid ${OWNER.uid}); the checkpoints are removed`,
  ],
  [
    'the id was reused by the same user',
    { facts: { ...facts, restarts: 1 } },
    'id-reused',
    `checkpoint ${id(2)} is of another job that had this id (it was taken after restart 1, and this is restart 1); the checkpoints are removed`,
  ],
  [
    'one old checkpoint of another user is enough',
    { checkpoints: [newest, foundOf({ actionId: id(1), uid: 5 })] },
    'id-reused',
    `checkpoint ${id(1)} is of another job that had this id (it belongs to uid 5); the checkpoints are removed`,
  ],
  [
    "the order is another user's",
    { order: orderOf({ restarts: 2, uid: 5 }) },
    'id-reused',
    `checkpoint ${id(1)} is of another job that had this id (it belongs to uid 5); the checkpoints are removed`,
  ],
  [
    'a deprecated one of another user still says whose id this was',
    { checkpoints: [foundOf({ uid: 5 }, bad)] },
    'id-reused',
    `checkpoint ${id(1)} is of another job that had this id (it belongs to uid 5); the checkpoints are removed`,
  ],
])('anew: %s', (_, change, kind, text) => {
  const choice = chosen(change);
  expect(choice).toMatchObject({ type: 'fresh', why: { kind } });
  expect(told(choice)).toBe(text);
});

const order = orderOf({ actionId: id(1), restarts: 1 });
const since = { takenAt: order.createdAt + 1 };
test.each<[string, Parameters<typeof standing>, boolean]>([
  ['that there is none', [null, [foundOf({ ...since, actionId: id(2) })]], false],
  ['nothing was saved since', [order, [foundOf({ actionId: id(2) }), foundOf()]], true],
  ['the old run was saved since', [order, [foundOf({ ...since, actionId: id(2) }), foundOf()]], false],
  [
    'the same, and that is deprecated by now',
    [order, [foundOf({ ...since, actionId: id(2) }, bad), foundOf()]],
    false,
  ],
  ['the ordered one is published late', [order, [foundOf(since)]], true],
  [
    'one from before is published late',
    [order, [foundOf({ actionId: id(2), publishedAt: order.createdAt + 1 })]],
    true,
  ],
  ['a later run was saved since', [order, [foundOf({ ...since, actionId: id(2), restarts: 1 })]], true],
  ['another user’s job was saved since', [order, [foundOf({ ...since, actionId: id(2), uid: 5 })]], true],
  [
    'the old run was saved since, and the order says nothing of it: whoever gave it named that checkpoint',
    [orderOf({ ended: undefined }), [foundOf({ ...since, actionId: id(2) })]],
    true,
  ],
])('whether an order stands: %s', (_, given, stands) => {
  expect(standing(...given)).toBe(stands ? given[0] : null);
});
