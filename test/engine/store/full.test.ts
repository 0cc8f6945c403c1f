import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, order, put, refusal, scene, writeImage } from './support.ts';

/** A file system of 256 KiB. */
function smallDisk(): { dir: string; mount: (options: string) => void } & Disposable {
  const point = mkdtempSync(join(tmpdir(), 'ckptd-small-'));
  const run = (command: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  run('mount', '-t', 'tmpfs', '-o', 'size=256k,mode=755', 'tmpfs', point);
  const dir = join(point, 'store');
  mkdirSync(dir, { mode: 0o700 });
  return {
    dir,
    mount: (options) => run('mount', '-o', `remount,${options}`, point),
    [Symbol.dispose]() {
      run('umount', point);
      rmSync(point, { recursive: true });
    },
  };
}

const root = process.geteuid?.() === 0;
if (!root && process.env['CI']) throw new Error('CI runs this as root');
if (!root) console.warn('LEFT OUT: a full disk; only root can mount one');

test.skipIf(!root)(
  'a full disk costs the checkpoint that is being written, and nothing else',
  async () => {
    using disk = smallDisk();
    using it = scene({ dir: disk.dir });
    const good = await put(it.store, 7, { takenAt: 10 });

    // While images are written: the writer's own error, and nothing is left.
    const big = await it.store.begin(7, randomUUID());
    mkdirSync(join(big.dir, 'images'));
    expect(() => writeFileSync(join(big.dir, 'images/core-1.img'), Buffer.alloc(1 << 20))).toThrow(/ENOSPC/);
    await big.discard();
    expect(readdirSync(join(it.cluster, '7'))).toEqual([good.manifest.actionId]);

    // While the manifest is written.
    const id = randomUUID();
    const pending = await it.store.begin(7, id);
    writeImage(pending.dir);
    expect(() => writeFileSync(join(disk.dir, 'filler'), Buffer.alloc(1 << 20))).toThrow(/ENOSPC/);
    expect(await refusal(pending.publish(manifest(7, id)))).toMatch(/^cannot publish .*full \(ENOSPC\)$/);
    expect(readdirSync(join(it.cluster, '7'))).toEqual([good.manifest.actionId]);
    expect(await it.store.ofJob(7)).toEqual([good]);
    expect(() => writeFileSync(join(disk.dir, 'rest'), Buffer.alloc(1 << 20))).toThrow(/ENOSPC/);
    expect(await refusal(it.store.writeOrder(order(7, id)))).toMatch(/full \(ENOSPC\)/);
    expect(readdirSync(join(it.cluster, '7'))).toEqual([good.manifest.actionId]);

    disk.mount('ro');
    expect(await refusal(it.store.begin(7, randomUUID()))).toMatch(/read-only \(EROFS\)/);
    expect(await it.store.ofJob(7)).toEqual([good]);

    disk.mount('rw');
    for (const filler of ['filler', 'rest']) rmSync(join(disk.dir, filler));
    const next = await put(it.store, 7, { takenAt: 20 });
    expect(await it.store.ofJob(7)).toEqual([next, good]);
  },
  30_000,
);

test.skipIf(!root)(
  'a disk that has no room for the trash is rid of what was half-written all the same',
  async () => {
    using disk = smallDisk();
    using it = scene({ dir: disk.dir });
    const good = await put(it.store, 7, { takenAt: 10 });
    const pending = await it.store.begin(7, randomUUID());
    disk.mount('nr_inodes=60');
    expect(() => {
      for (let at = 0; ; at++) writeFileSync(join(disk.dir, `filler-${at}`), '');
    }).toThrow(/ENOSPC/);
    await pending.discard();
    expect(readdirSync(join(it.cluster, '7'))).toEqual([good.manifest.actionId]);
  },
);
