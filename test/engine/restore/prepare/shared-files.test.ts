import { expect, test } from 'vitest';
import { isMoved } from '../../../../daemon/engine/restore/prepare/shared-files.ts';
import { foundOf, id, orderOf } from '../support.ts';

const left = foundOf({ reason: 'restore' });

test.each<[string, Parameters<typeof isMoved>, boolean]>([
  ['it was sent away by its order', [left, { restarts: 1 }, orderOf()], true],
  ['nobody ordered it', [left, { restarts: 1 }, null], false],
  ['whoever ordered it ended no run', [left, { restarts: 1 }, orderOf({ ended: undefined })], false],
  ['the order names another', [left, { restarts: 1 }, orderOf({ actionId: id(2) })], false],
  ['the order is an earlier run’s', [left, { restarts: 2 }, orderOf()], false],
  ['it ran on after its dump', [foundOf(), { restarts: 1 }, orderOf()], false],
])('whether a job ran no line since its dump: %s', (_, given, moved) => {
  expect(isMoved(...given)).toBe(moved);
});
