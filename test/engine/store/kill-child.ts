/**
 * Publishes one checkpoint, and kills itself right before a given call to the file system:
 * `node kill-child.ts DIR JOB ACTION-ID CALL`. Says `calls N` where it got to the end.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const [dir = '', job = '', actionId = '', at = ''] = process.argv.slice(2);
let calls = 0;
let armed = false;

function counted(holder: object, name: string): void {
  const original = Reflect.get(holder, name) as (...args: unknown[]) => unknown;
  Reflect.set(holder, name, function (this: unknown, ...args: unknown[]) {
    if (armed) {
      calls += 1;
      if (calls === Number(at)) process.kill(process.pid, 'SIGKILL');
    }
    return original.apply(this, args);
  });
}

for (const name of [
  'lstat',
  'stat',
  'mkdir',
  'open',
  'rename',
  'unlink',
  'writeFile',
  'chmod',
  'readdir',
  'realpath',
  'rm',
])
  counted(fs.promises, name);
const handle = await fs.promises.open(dir, 'r');
for (const name of ['sync', 'writeFile', 'close']) counted(Object.getPrototypeOf(handle), name);
await handle.close();
syncBuiltinESMExports();

// After the functions that it imports were replaced.
const { createStore } = await import('../../../daemon/engine/store/store.ts');
const { CLUSTER, manifest } = await import('./support.ts');
const { recordingLog } = await import('../../support/log.ts');

const store = createStore({ dir, clusterId: CLUSTER, keep: 1, node: 'n1', log: recordingLog() });
armed = true;
const pending = await store.begin(Number(job), actionId);
fs.mkdirSync(join(pending.dir, 'images'));
fs.writeFileSync(join(pending.dir, 'images/core-1.img'), 'image');
await pending.publish(manifest(Number(job), actionId, { takenAt: 20 }));
armed = false;
console.log(`calls ${calls}`);
