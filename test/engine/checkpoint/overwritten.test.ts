import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { retireOverwritten } from '../../../daemon/engine/checkpoint/overwritten.ts';
import type { EngineConfig } from '../../../daemon/engine/config/config.ts';
import { recordingLog } from '../../support/log.ts';
import { FakeStore } from '../restore/fake-store.ts';
import { foundOf, id } from '../restore/support.ts';

let runDir: string;
let store: FakeStore;
const log = recordingLog();
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'ckptd-overwritten-'));
  store = new FakeStore();
  log.lines.length = 0;
});
afterEach(() => rmSync(runDir, { recursive: true }));

/** What is deprecated when restart `restarts` has its first checkpoint, behind those of the two runs before. */
async function retired(restarts: number, runFile: string | null): Promise<string[]> {
  mkdirSync(join(runDir, 'runs'));
  if (runFile !== null) writeFileSync(join(runDir, 'runs/7.json'), runFile);
  const newest = foundOf({ actionId: id(5), restarts });
  store.found = [
    newest,
    foundOf({ actionId: id(4), restarts: 0, uid: 5 }),
    foundOf({ actionId: id(3), restarts: 1 }),
    foundOf({ actionId: id(2), restarts: 0, criu: null }),
    foundOf({ actionId: id(1), restarts: 0 }),
  ];
  const config = { runDir } as EngineConfig;
  await retireOverwritten({ store, config, log }, newest);
  return store.asked.map((asked) => asked.split(':')[0]!);
}
const restored = (restarts: number) =>
  JSON.stringify({ jobId: 7, restarts, init: 60, initStart: 1, root: 70 });

test.each([
  ['was never restored', null],
  ['was restored here as the run before', restored(1)],
])('a run whose job %s began anew: what it overwrites is not used', async (_, runFile) => {
  expect(await retired(2, runFile)).toEqual(['deprecate 3', 'deprecate 1']);
});

test('a run that was restored goes on from what was before', async () => {
  expect(await retired(2, restored(2))).toEqual([]);
});

test('the first run of a job has nothing before it', async () => {
  expect(await retired(0, null)).toEqual([]);
});

test('where it cannot be told, an error says so, and nothing is retired', async () => {
  expect(await retired(2, '{')).toEqual([]);
  expect(log.lines).toMatchObject([
    { level: 'error', message: 'checkpoints of the runs before are not looked into' },
  ]);
});
