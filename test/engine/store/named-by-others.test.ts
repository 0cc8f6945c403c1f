import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { put, scene } from './support.ts';

const LOG = { path: '/home/alice/all.log', ino: '12', dev: '1', size: 9, append: true };

test('a file is shared where a checkpoint of another job names it as appended to, on whatever node', async () => {
  using it = scene();
  expect(await it.store.namedByOthers(7, [LOG])).toEqual([]);
  await put(it.store, 7, { files: [LOG] });
  expect(await it.store.namedByOthers(7, [LOG])).toEqual([]);
  const [path, ino] = [
    { ...LOG, path: '/other/all.log' },
    { ...LOG, ino: '13' },
  ];
  await put(it.other('n2'), 8, { files: [path, ino, { ...LOG, append: false }] });
  expect(await it.store.namedByOthers(7, [LOG])).toEqual([]);
  const damaged = await put(it.other('n2'), 9, { files: [LOG] });
  writeFileSync(join(damaged.dir, 'manifest.json'), '{');
  expect(await it.store.namedByOthers(7, [LOG])).toEqual([]);
  await put(it.other('n2'), 10, { files: [{ ...LOG, dev: '4', size: 20 }] });
  for (const _ of ['at first', 'from what it remembers'])
    expect(await it.store.namedByOthers(7, [LOG, { path: '/home/alice/own', ino: '14' }])).toEqual([
      LOG.path,
    ]);
  await it.other('n2').removeJob(10, 'over');
  expect(await it.store.namedByOthers(7, [LOG])).toEqual([]);
});
