import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { withLock } from './lock.ts';

const name = `test ${process.pid}`;

test('work under one name is done one after the other', async () => {
  const log: string[] = [];
  const work = (id: string) => async () => {
    log.push(`${id} begins`);
    await new Promise(setImmediate);
    log.push(`${id} ends`);
  };
  await Promise.all(['a', 'b', 'c'].map((id) => withLock(name, work(id))));
  for (let i = 0; i < log.length; i += 2) expect(log[i]!.split(' ')[0]).toBe(log[i + 1]!.split(' ')[0]);
  expect(log).toHaveLength(6);
});

test('work that fails frees the lock', async () => {
  await expect(withLock(name, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await withLock(name, async () => 'free')).toBe('free');
});

test('a holder that is killed frees the lock, and who waits is told to', async () => {
  const script = `import { withLock } from '${join(import.meta.dirname, 'lock.ts')}';
    await withLock('${name}', async () => { console.log('held'); await new Promise((r) => setTimeout(r, 60_000)); });`;
  const holder = execa(process.execPath, ['--input-type=module', '-e', script], { reject: false });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  let waited = false;
  const work = withLock(
    name,
    async () => 'mine',
    () => {
      waited = true;
      holder.kill('SIGKILL');
    },
  );
  expect(await work).toBe('mine');
  expect(waited).toBe(true);
});
