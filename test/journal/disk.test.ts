import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test as plainTest } from 'vitest';
import type { State } from '../../daemon/vocabulary/state.ts';
import { commitOf, EMPTY, endSource, job, open, tempDir, withJobs } from './support.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.error('SKIPPED: the journal on full and read-only disks: mounting needs root');
const test = plainTest.skipIf(!isRoot);

/** A small file system of its own. */
function mounted(dir: string, ...args: string[]): { path: string } & Disposable {
  const path = join(dir, 'mnt');
  mkdirSync(path);
  execFileSync('mount', [...args, path]);
  return { path, [Symbol.dispose]: () => void execFileSync('umount', ['-l', path]) };
}

const TMPFS = ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs'];
const code = (wanted: string) => expect.objectContaining({ code: wanted });

/** Takes every free byte; returns the file that holds them. */
function fill(dir: string): string {
  const path = join(dir, 'ballast');
  const file = openSync(path, 'w');
  for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
    try {
      while (true) writeFileSync(file, Buffer.alloc(size));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
  closeSync(file);
  return path;
}

test('a disk that is full for a while costs nothing but the commits meanwhile', () => {
  using dir = tempDir();
  using disk = mounted(dir.path, ...TMPFS);
  let state: State = EMPTY;
  {
    using journal = open(disk.path);
    const step = (after: State, more = {}) => {
      const before = state;
      // The owner goes on from here whether the disk took it or not.
      state = after;
      return journal.commit(
        commitOf({ event: { type: 'started', at: after.clock }, before, after, ...more }),
      );
    };
    step(withJobs(1, job(1), job(2)), { effects: [endSource('old')] });

    const ballast = fill(disk.path);
    const wide = Array.from({ length: 3_000 }, (_, index) => job(index + 10));
    const refused = [
      { after: withJobs(2, job(1, 1), ...wide), more: { effects: [endSource('a'), endSource('b')] } },
      { after: withJobs(3, job(1, 2)), more: { effects: [endSource('a'), endSource('c')], settled: 'old' } },
      { after: withJobs(5, job(1, 2), job(3)), more: { settled: 'c' } },
    ];
    for (const { after, more } of refused) expect(() => step(after, more)).toThrow(code('write'));
    expect(() => journal.started('b', 4)).toThrow(code('write'));
    expect(journal.load().state).toEqual(withJobs(1, job(1), job(2)));

    rmSync(ballast);
    const { fresh } = step({ ...state, clock: 6 }, { effects: [endSource('a'), endSource('d')] });
    expect(fresh).toEqual([endSource('d')]);
    expect(() => journal.started('c', 7)).toThrow(code('not-in-outbox'));
    journal.started('a', 7);
  }
  using journal = open(disk.path);
  const { state: loaded, outbox } = journal.load();
  expect(loaded).toEqual({ ...state, clock: 6 });
  expect(outbox.map(({ effect, attempts, startedAt }) => [effect.id, attempts, startedAt])).toEqual([
    ['a', 1, 7],
    ['b', 1, 4],
    ['d', 0, null],
  ]);
});

test('a disk that is full at the start is a clear error', () => {
  using dir = tempDir();
  using disk = mounted(dir.path, ...TMPFS);
  const ballast = fill(disk.path);
  expect(() => open(disk.path)).toThrow(
    expect.objectContaining({
      code: 'unusable',
      message: expect.stringMatching(/state_dir .*(full|no space|I\/O)/i),
    }),
  );
  rmSync(ballast);
  open(disk.path).close();
  fill(disk.path);
  expect(() => open(disk.path, undefined, 1)).toThrow(code('unusable'));
});

test('a read-only or missing folder at the start is a clear error', () => {
  using dir = tempDir();
  using disk = mounted(dir.path, ...TMPFS);
  open(disk.path).close();
  execFileSync('mount', ['-o', 'remount,ro', disk.path]);
  expect(() => open(disk.path)).toThrow(
    expect.objectContaining({ code: 'unusable', message: expect.stringContaining('read-only file system') }),
  );
  expect(() => open(join(dir.path, 'none'))).toThrow(
    expect.objectContaining({
      code: 'unusable',
      message: expect.stringContaining('no such file or directory'),
    }),
  );
});

test('a disk that turns read-only under the journal refuses the commit and keeps what was there', () => {
  using dir = tempDir();
  const image = join(dir.path, 'image');
  execFileSync('truncate', ['-s', '8M', image]);
  execFileSync('mkfs.ext4', ['-q', image]);
  using disk = mounted(dir.path, '-o', 'loop', image);
  using journal = open(disk.path);
  const first = withJobs(1, job(1));
  journal.commit(commitOf({ after: first }));
  // What the kernel does by itself on an I/O error; a plain `remount,ro` is refused while the journal is open.
  execFileSync('mount', ['-o', 'remount,abort', disk.path]);
  expect(() => journal.commit(commitOf({ before: first, after: withJobs(2, job(2)) }))).toThrow(
    code('write'),
  );
  expect(() => journal.prune(Number.MAX_SAFE_INTEGER)).toThrow(code('write'));
  expect(journal.load().state).toEqual(first);
});
