import { expect, test } from 'vitest';
import { mapConcurrent } from '../../../daemon/system/async/map-concurrent.ts';

const turn = () => new Promise(setImmediate);

test('so many are under way at a time, and the results are in the order of the items', async () => {
  let [under, most] = [0, 0];
  const results = await mapConcurrent(3, [5, 4, 3, 2, 1, 0], async (turns) => {
    most = Math.max(most, ++under);
    for (let left = turns; left > 0; left--) await turn();
    under--;
    return turns * 10;
  });
  expect(results).toEqual([50, 40, 30, 20, 10, 0]);
  expect(most).toBe(3);
  expect(await mapConcurrent(3, [], turn)).toEqual([]);
});

test('the first failure is told when nothing is under way any more, and nothing is begun after it', async () => {
  const [begun, ended]: [number[], number[]] = [[], []];
  const all = mapConcurrent(2, [0, 1, 2, 3], async (item) => {
    begun.push(item);
    await turn();
    if (item === 0) throw new Error('the first');
    await turn();
    ended.push(item);
  });
  await expect(all).rejects.toThrow('the first');
  expect([begun, ended]).toEqual([[0, 1], [1]]);
});
