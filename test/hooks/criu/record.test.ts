import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RecordEntry, readRecord } from '../../../daemon/engine/checkpoint/dump/record.ts';
import { type Built, build, type Held, hold } from './holder.ts';

const isRoot = process.getuid?.() === 0;
const O_APPEND = 0o2000;

describe.skipIf(!isRoot && !process.env['CI'])('the record of what a frozen tree has open', () => {
  let built: Built;
  beforeAll(() => {
    built = build();
  }, 120_000);
  afterAll(() => built[Symbol.dispose]());

  /** Calls ckptd-criu as CRIU calls its action script. */
  function record(root: number | string, path: string | undefined) {
    const began = performance.now();
    const { status, stderr } = spawnSync(built.helper, [], {
      env: {
        CRTOOLS_SCRIPT_ACTION: 'post-dump',
        CKPTD_ROOT: String(root),
        ...(path === undefined ? {} : { CKPTD_RECORD: path }),
        // A tree of processes that it looks at by pid has nothing to do with its own leaks, and these are looked for too.
        ASAN_OPTIONS: 'detect_leaks=1',
      },
      encoding: 'utf8',
    });
    return { status, stderr, ms: performance.now() - began };
  }

  async function entries(path: string): Promise<RecordEntry[]> {
    const all: RecordEntry[] = [];
    await readRecord(path, (entry) => all.push(entry));
    return all;
  }

  async function recorded(held: Held) {
    const path = join(held.scratch, 'record');
    expect(record(held.pid, path)).toMatchObject({ status: 0, stderr: '' });
    const all = await entries(path);
    const named = (name: string, kind = 'fd') =>
      all.filter(
        (entry) => entry.kind === kind && entry.pid === held.pid && entry.path === join(held.folder, name),
      );
    return { all, path, named };
  }

  test('says of each file what it is, how it is open, and how large it is', async () => {
    await using held = await hold(built);
    const { named } = await recorded(held);
    const { dev, ino } = statSync(join(held.folder, 'plain'), { bigint: true });
    const [plain] = named('plain').filter(({ flags }) => (flags & 0o10000000) === 0);
    expect(plain).toMatchObject({ deleted: false, size: 10, ino: String(ino), mode: 0o100640 });
    expect(plain!.flags & 3).toBe(1);
    expect(plain!.flags & O_APPEND).toBe(O_APPEND);
    const { major, minor } = plain!.dev;
    expect((BigInt(major) << 8n) | BigInt(minor & 0xff) | (BigInt(minor & ~0xff) << 12n)).toBe(dev);
    expect(named('both').map(({ flags, size }) => [flags & 3, size])).toEqual([
      [2, 11],
      [0, 11],
    ]);
    // Opened with O_PATH.
    expect(named('plain').filter(({ flags }) => flags & 0o10000000)).toHaveLength(1);
    expect(named('fifo')).toMatchObject([{ mode: 0o10600 }]);
  });

  test('a name may hold anything', async () => {
    await using held = await hold(built);
    const { path } = await recorded(held);
    const text = readFileSync(path, 'latin1');
    expect(text).toContain('/odd%20%0A%09%01%20%2541%20%C3%BC%FF%20name\n');
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^[!-~]+( [!-~]+)+$/);
  });

  test('tells a deleted file from one that is called so', async () => {
    await using held = await hold(built);
    const { named, all } = await recorded(held);
    expect(named('really (deleted)')).toMatchObject([{ deleted: false, size: 13 }]);
    expect(named('gone')).toMatchObject([{ deleted: true, size: 14 }]);
    // It has another name still, and what has its old name with the kernel's mark is another file.
    expect(named('first')).toMatchObject([{ deleted: true, size: 15 }]);
    expect(named('swapped')).toMatchObject([{ deleted: true, size: 16 }]);
    expect(all.filter(({ deleted, path }) => !deleted && path?.endsWith('/gone'))).toEqual([]);
  });

  test('has what is mapped, run and worked in, and what has no name', async () => {
    await using held = await hold(built);
    const { named, all } = await recorded(held);
    expect(named('mapped', 'map')).toMatchObject([{ size: 8192, deleted: false }]);
    expect(named('lost', 'map')).toMatchObject([{ size: 4096, deleted: true }]);
    const own = all.filter(({ pid }) => pid === held.pid);
    expect(own.find(({ kind }) => kind === 'exe')?.path).toBe(built.holder);
    expect(own.find(({ kind }) => kind === 'root')?.path).toBe('/');
    expect(own.filter(({ kind }) => kind === 'cwd')).toMatchObject([{ path: held.folder }]);
    const nameless = own
      .filter(({ path, kind }) => kind === 'fd' && !path?.startsWith('/'))
      .map(({ path }) => path ?? 'no UTF-8');
    expect(nameless.map((path) => path.replace(/\d+/, 'N'))).toEqual(
      expect.arrayContaining(['pipe:[N]', 'socket:[N]', 'anon_inode:[eventpoll]']),
    );
    expect(own.find(({ path }) => path === '/memfd:a memory')).toMatchObject({ deleted: true });
  });

  test("has every process: a thread's child, its child, and a zombie, which has nothing", async () => {
    await using held = await hold(built);
    const { all } = await recorded(held);
    const pids = new Set(all.map(({ pid }) => pid));
    expect(pids.size).toBe(3);
    expect(all.filter(({ path }) => path && basename(path) === 'of-the-child')).toHaveLength(2);
  });

  test('100,000 open files are written down within seconds', { timeout: 60_000 }, async () => {
    await using held = await hold(built, 100_000);
    const path = join(held.scratch, 'record');
    const { status, ms } = record(held.pid, path);
    expect(status).toBe(0);
    const all = await entries(path);
    expect(all.filter(({ path: name }) => name === join(held.folder, 'plain')).length).toBeGreaterThan(
      100_000,
    );
    console.log(`record of ${all.length} open files: ${Math.round(ms)} ms (with the sanitizers)`);
    expect(ms).toBeLessThan(20_000);
  });

  test('is for root alone, and takes the place of nothing', async () => {
    await using held = await hold(built);
    const path = join(held.scratch, 'record');
    expect(record(held.pid, path).status).toBe(0);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(record(held.pid, path)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('File exists'),
    });
    const target = join(held.scratch, 'target');
    symlinkSync(target, join(held.scratch, 'link'));
    expect(record(held.pid, join(held.scratch, 'link')).status).toBe(1);
    expect(() => statSync(target)).toThrow('ENOENT');
  });

  test('of a process that is not there it is cut, and CRIU hears of it', async () => {
    await using held = await hold(built);
    const path = join(held.scratch, 'record');
    expect(record(2 ** 22 - 1, path)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^Error \(ckptd-criu\): recording the files of process \d+'s tree: No such file/,
      ),
    });
    await expect(entries(path)).rejects.toThrow('cut');
    for (const root of ['', '0', '-5', 'init']) expect(record(root, `${path}.${root}`).status).toBe(1);
  });

  test('a full file system is an error', async () => {
    await using held = await hold(built);
    const path = '/dev/full';
    // Not to be replaced: it exists.
    expect(record(held.pid, path).status).toBe(1);
    writeFileSync(join(held.scratch, 'limit'), '');
    const limited = spawnSync('bash', ['-c', 'trap "" XFSZ; ulimit -f 1; exec "$0"', built.helper], {
      env: {
        PATH: '/usr/bin:/bin',
        CRTOOLS_SCRIPT_ACTION: 'post-dump',
        CKPTD_ROOT: String(held.pid),
        CKPTD_RECORD: join(held.scratch, 'short'),
      },
      encoding: 'utf8',
    });
    expect(limited.status).toBe(1);
    expect(limited.stderr).toContain('File too large');
  });

  test('nothing is recorded where nobody asked, nor at any other action', async () => {
    await using held = await hold(built);
    expect(record(held.pid, undefined).status).toBe(0);
    for (const action of ['pre-dump', 'network-lock', 'post-resume', 'post-dump2', '']) {
      const { status } = spawnSync(built.helper, [], {
        env: {
          CRTOOLS_SCRIPT_ACTION: action,
          CKPTD_RECORD: join(held.scratch, 'record'),
          CKPTD_ROOT: String(held.pid),
        },
      });
      expect(status).toBe(0);
    }
    expect(() => statSync(join(held.scratch, 'record'))).toThrow('ENOENT');
  });
});
