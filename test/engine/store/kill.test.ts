import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { put, scene } from './support.ts';

const CHILD = join(import.meta.dirname, 'kill-child.ts');
const LATER = 1_900_000_000_000_000;

/** Null where it was killed, else how many calls it took. */
function publishUntil(dir: string, actionId: string, call: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [CHILD, dir, '7', actionId, String(call)],
      (error, stdout, stderr) => {
        const calls = /^calls (\d+)$/m.exec(stdout)?.[1];
        if (calls !== undefined) resolve(Number(calls));
        else if (child.signalCode === 'SIGKILL') resolve(null);
        else reject(new Error(`${error?.message}\n${stderr}`));
      },
    );
  });
}

test('kill -9 before any one call to the file system: all or nothing, and the next engine tidies up', async () => {
  let killed = 0;
  const seen = { nothing: 0, whole: 0 };
  // Two at a time, each on a store of its own.
  const lane = async (first: number) => {
    for (let call = first; ; call += 2) {
      using it = scene({ keep: 1 });
      const old = await put(it.store, 7, { takenAt: 10 });
      const actionId = randomUUID();
      const done = await publishUntil(it.dir, actionId, call);
      const after = it.other('n1', 1);

      const found = await after.find(actionId);
      const all = await after.ofJob(7);
      if (found === null) {
        seen.nothing += 1;
        expect(all).toEqual([old]);
      } else {
        seen.whole += 1;
        expect(readdirSync(found.dir).sort()).toEqual(['images', 'manifest.json']);
        expect(all[0]).toEqual(found);
      }
      expect(it.log.lines.filter(({ level }) => level === 'error')).toEqual([]);

      // What is left of it is seen by its owner alone, and goes.
      await after.upkeep.removeHalfWritten(7, 'n1', LATER);
      await after.upkeep.freshen(LATER);
      expect(readdirSync(join(it.cluster, '7')).filter((name) => name.startsWith('.'))).toEqual([]);
      expect(
        existsSync(join(it.cluster, '.nodes/n1/.trash')) && readdirSync(join(it.cluster, '.nodes/n1/.trash')),
      ).toSatisfy((left: string[] | false) => left === false || left.length === 0);
      // And the next one is published as if nothing had been.
      const next = await put(after, 7, { takenAt: 30 });
      expect((await after.ofJob(7)).map(({ manifest }) => manifest.actionId)).toEqual([
        next.manifest.actionId,
      ]);
      if (done !== null) return;
      killed += 1;
    }
  };
  await Promise.all([lane(1), lane(2)]);
  expect(killed).toBeGreaterThan(40);
  expect(seen.nothing).toBeGreaterThan(20);
  expect(seen.whole).toBeGreaterThan(5);
}, 180_000);
