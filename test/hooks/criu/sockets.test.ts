import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { make, scratch } from '../native.ts';
import { fixture } from './holder.ts';

const isRoot = process.getuid?.() === 0;
const [UID, GID, GROUP] = [61_234, 61_235, 61_236];
const VICTIM = 61_240;

describe.skipIf(!isRoot && !process.env['CI'])('sockets with names, made by CRIU', () => {
  const build = scratch();
  const binder = join(build.path, 'binder');
  const servers: Server[] = [];
  /** Root's own, and others may only look. */
  let root = '';
  beforeAll(() => {
    chmodSync(build.path, 0o755);
    make('criu', { OUT: build.path });
    fixture('binder', build.path);
  }, 120_000);
  afterAll(() => build[Symbol.dispose]());
  beforeEach(() => {
    root = mkdtempSync('/var/ckptd-sockets-');
    chmodSync(root, 0o755);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    rmSync(root, { recursive: true });
  });

  /** What init reports, and what the stand-in for CRIU says. `sockets`: null for a CRIU without the library. */
  async function criu(
    args: readonly string[],
    { sockets = `${UID} ${GID} ${GROUP}` as string | null, folder = null as string | null } = {},
  ): Promise<{ said: string; report: string }> {
    const init = [join(build.path, 'ckptd-criu'), 'init', '--uid', String(UID), '--gid', String(GID)];
    const files = ['--pidfile', join(root, 'pid'), '--log', join(root, 'log')];
    const owner = sockets === null ? [] : ['--sockets', sockets];
    const child = spawn(
      'unshare',
      ['--pid', '--fork', '--mount', ...init, ...files, ...owner, '--', binder, ...args],
      {
        stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
        env: { PATH: '/usr/bin:/bin', ...(folder === null ? {} : { FOLDER: folder }) },
      },
    );
    const [said, report] = [child.stdout!, child.stdio[3] as Readable].map((stream) => text(stream));
    await once(child, 'close');
    return { said: (await said!).trim(), report: await report! };
  }

  function folder(name: string, uid: number, mode = 0o755): string {
    mkdirSync(join(root, name));
    chownSync(join(root, name), uid, uid);
    chmodSync(join(root, name), mode);
    return join(root, name);
  }

  async function socket(path: string, uid: number, mode: number): Promise<string> {
    const server = createServer().listen(path);
    servers.push(server);
    await once(server, 'listening');
    chownSync(path, uid, uid);
    chmodSync(path, mode);
    return path;
  }

  const kind = (path: string) => {
    const { uid, gid, mode, ino } = lstatSync(path);
    return { uid, gid, mode: (mode & 0o7777).toString(8), ino };
  };
  const makes = (path: string, gid = GID) => ['make', path, String(UID), String(gid), '1'];

  test('in a folder of the owner they are as they were, also in one of their groups', async () => {
    const home = folder('home', UID);
    expect((await criu(makes(join(home, 's')))).said).toBe('1 ok');
    expect(kind(join(home, 's'))).toMatchObject({ uid: UID, gid: GID, mode: '711' });
    expect((await criu(makes(join(home, 's'), GROUP))).said).toBe('1 ok');
    expect(kind(join(home, 's'))).toMatchObject({ uid: UID, gid: GROUP });
    expect((await criu(makes('relative'), { folder: home })).said).toBe('1 ok');
    expect(kind(join(home, 'relative'))).toMatchObject({ uid: UID });
  });

  test('what only root could remove, make or change stays as it is', async () => {
    const closed = await socket(join(root, 'api.sock'), 0, 0o600);
    const before = kind(closed);
    expect((await criu(makes(closed))).said).toBe('0 Address already in use');
    expect(kind(closed)).toEqual(before);
    expect((await criu(makes(join(root, 'new')))).said).toBe('0 Permission denied');
    expect(existsSync(join(root, 'new'))).toBe(false);
    // As it was without the library.
    expect((await criu(makes(closed), { sockets: null })).said).toBe('1 ok');
    expect(kind(closed)).toMatchObject({ uid: UID, mode: '711' });
  });

  test("in a folder where each has their own, a stranger's socket stays", async () => {
    const tmp = folder('tmp', 0, 0o1777);
    const theirs = await socket(join(tmp, 's'), VICTIM, 0o755);
    const before = kind(theirs);
    expect((await criu(makes(theirs))).said).toBe('0 Address already in use');
    expect(kind(theirs)).toEqual(before);
    expect((await criu(makes(join(tmp, 'own')))).said).toBe('1 ok');
  });

  test('no folder is reached by a relative name that its owner could not get to', async () => {
    folder('vault', 0, 0o700);
    const open = folder('vault/open', 0, 0o777);
    expect((await criu(makes('s'), { folder: open })).said).toBe('0 Permission denied');
    expect(readdirSync(open)).toEqual([]);
  });

  test('a socket whose name was removed leaves nothing behind, and nothing of others is renamed for it', async () => {
    const home = folder('home', UID);
    const deletes = (path: string) => ['deleted', path, String(UID), String(GID)];
    expect((await criu(deletes(join(home, 'gone/s')))).said).toBe('ok');
    await socket(join(home, 's'), UID, 0o700);
    const own = kind(join(home, 's'));
    expect((await criu(deletes(join(home, 's')))).said).toBe('ok');
    expect([readdirSync(home), kind(join(home, 's'))]).toEqual([['s'], own]);
    const tmp = folder('tmp', 0, 0o1777);
    await socket(join(tmp, 's'), VICTIM, 0o755);
    const theirs = kind(join(tmp, 's'));
    expect((await criu(deletes(join(tmp, 's')))).said).toBe('Address already in use');
    expect([readdirSync(tmp), kind(join(tmp, 's'))]).toEqual([['s'], theirs]);
    expect((await criu(deletes(join(root, 'new/s')))).said).toBe('Permission denied');
    expect(existsSync(join(root, 'new'))).toBe(false);
  });

  test("others' sockets are connected to where the owner may", async () => {
    const open = await socket(join(root, 'log'), 0, 0o666);
    const closed = await socket(join(root, 'admin'), 0, 0o600);
    expect((await criu(['connect', open])).said).toBe('ok');
    expect((await criu(['connect', closed])).said).toBe('Permission denied');
    expect((await criu(['connect', closed], { sockets: null })).said).toBe('ok');
  });

  test("CRIU's other files stay root's to make, and its action script is root", async () => {
    expect((await criu(['file', join(root, 'kdat')])).said).toBe('ok');
    const closed = await socket(join(root, 'engine.sock'), 0, 0o600);
    // It inherits CRIU's environment, and connects to the engine.
    const env = {
      LD_PRELOAD: join(build.path, 'ckptd-sockets.so'),
      CKPTD_SOCKETS_OWNER: `${UID} ${GID}`,
    };
    const connect = (more: object) => {
      const options = { env: { ...env, ...more }, encoding: 'utf8' } as const;
      return spawnSync(binder, ['connect', closed], options).stdout;
    };
    expect(connect({})).toBe('Permission denied\n');
    expect(connect({ CRTOOLS_SCRIPT_ACTION: 'post-restore' })).toBe('ok\n');
  });

  test('a CRIU that does not load the library is not run', async () => {
    const home = folder('home', UID);
    const away = join(build.path, 'ckptd-sockets.so');
    const kept = readFileSync(away);
    rmSync(away);
    try {
      const { said, report } = await criu(makes(join(home, 's')));
      expect(said).toBe('');
      expect(report).toMatch(/does not load ckptd-sockets\.so: the job has sockets with names/);
      expect(readdirSync(home)).toEqual([]);
    } finally {
      writeFileSync(away, kept, { mode: 0o755 });
    }
  });

  test.each(['1', '1 2 x', '-1 2', '4294967295 1', '1  2'])(
    'an owner that is none (%j) runs nothing',
    async (sockets) => {
      const home = folder('home', UID);
      expect((await criu(makes(join(home, 's')), { sockets })).said).toBe('');
      expect(readdirSync(home)).toEqual([]);
    },
  );

  /** A victim's socket, and a file of root's that the owner may move about, after much has changed places. */
  async function race(name: string, sockets: string | null): Promise<{ made: number; left: object[] }> {
    // The owner's to rename in, like a folder of a project.
    const shared = folder(name, UID);
    folder(`${name}/victim`, VICTIM);
    folder(`${name}/d`, UID);
    const theirs = await socket(join(shared, 'victim/s'), VICTIM, 0o600);
    const { ino } = kind(theirs);
    writeFileSync(join(shared, 'secret'), 'secret', { mode: 0o600 });
    // The owner may remove it, as what is in his folders.
    const secret = openSync(join(shared, 'secret'), 'r');
    const swapper = spawn(fixture('swapper', build.path), [], {
      uid: UID,
      gid: GID,
      cwd: shared,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(swapper.stdout!, 'data');
    const { said } = await criu(['make', join(shared, 'd/s'), String(UID), String(GID), '20000'], {
      sockets,
    });
    swapper.stdin!.end();
    await once(swapper, 'exit');
    const places = ['victim/s', 'd/s'].map((each) => join(shared, each)).filter((path) => existsSync(path));
    const left = places.map(kind).filter((each) => each.ino === ino);
    const { uid, mode } = fstatSync(secret);
    closeSync(secret);
    const own = { uid, mode: (mode & 0o7777).toString(8) };
    return {
      made: Number(said.split(' ')[0]),
      left: [...left.map((each) => ({ uid: each.uid, mode: each.mode })), own],
    };
  }

  test('folders that change places all the time lead to nothing that is not the owner’s', {
    timeout: 120_000,
  }, async () => {
    const ROOTS = { uid: 0, mode: '600' };
    const { made, left } = await race('with', `${UID} ${GID}`);
    expect(made).toBeGreaterThan(100);
    expect(left).toEqual([{ uid: VICTIM, mode: '600' }, ROOTS]);
    // Without the library, the same takes theirs away: in the first race, or one of the next.
    const isThere = async (round: number) =>
      (await race(`without-${round}`, null)).left.some((each) => JSON.stringify(each).includes(`${VICTIM}`));
    let round = 0;
    while (round < 10 && (await isThere(round))) round++;
    expect(round).toBeLessThan(10);
  });
});
