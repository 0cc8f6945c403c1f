import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { doIt, Folder, isRoot, OWNER, STRANGER } from './support.ts';

const asRoot = test.runIf(isRoot);
const servers: Server[] = [];
/** Of root, and nobody else's to write to. */
let root = '';
beforeEach(() => {
  root = mkdtempSync('/var/ckptd-may-bind-');
  chmodSync(root, 0o755);
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(root, { recursive: true });
});

async function socket(path: string, uid: number, mode = 0o755): Promise<string> {
  const server = createServer().listen(path);
  servers.push(server);
  await once(server, 'listening');
  chownSync(path, uid, uid);
  chmodSync(path, mode);
  return path;
}

const latin1 = (path: string) => Buffer.from(path).toString('latin1');
const mayBind = (...sockets: string[]) => doIt({ op: 'may-bind', sockets: sockets.map(latin1), peers: [] });
const mayConnect = (...peers: string[]) => doIt({ op: 'may-bind', sockets: [], peers: peers.map(latin1) });
const YES = { ok: true, notes: [] };
const no = (path: string, why: RegExp) => ({
  ok: false,
  message: expect.stringMatching(new RegExp(`^the job may not have the socket "${path}": .*${why.source}`)),
});

asRoot(
  'sockets in folders of the owner are theirs, those that are there and those that are not',
  async () => {
    using home = new Folder();
    expect(await mayBind(home.at('new'), await socket(home.at('söck'), OWNER.uid))).toEqual(YES);
    // CRIU makes the folders of a deleted one.
    expect(await mayBind(home.at('gone/deep/sock'))).toEqual(YES);
    expect(await mayBind('/tmp/ckptd-nobody-has-this')).toEqual(YES);
  },
);

asRoot("a socket of root's, and a new one in a folder of root's, are not", async () => {
  const path = await socket(join(root, 'api.sock'), 0, 0o600);
  expect(await mayBind(path)).toEqual(no(path, /the job's owner has no permission/));
  expect(await mayBind(join(root, 'new'))).toEqual(
    no(join(root, 'new'), /the job's owner has no permission/),
  );
  expect(await mayBind(join(root, 'not/there/new'))).toMatchObject({ ok: false });
  expect(await mayBind('/new')).toMatchObject({ ok: false });
});

asRoot("a stranger's socket stays, whether in a folder of all, or in the owner's own", async () => {
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
  using home = new Folder();
  for (const path of [join(root, 'tmp/s'), home.at('s')]) {
    await socket(path, STRANGER.uid, 0o777);
    expect(await mayBind(path)).toEqual(no(path, new RegExp(`a socket of uid ${STRANGER.uid} is there`)));
  }
});

asRoot('what is no socket is not removed, and no link is one', async () => {
  using home = new Folder();
  const own = await socket(home.at('own'), OWNER.uid);
  symlinkSync(own, home.at('link'));
  home.file('file', 'text');
  for (const name of ['link', 'file', 'file/below'])
    expect(await mayBind(home.at(name))).toMatchObject({ ok: false });
});

asRoot('every name counts; three are told', async () => {
  using home = new Folder();
  const bad = [1, 2, 3, 4].map((each) => join(root, `s${each}`));
  expect(await mayBind(home.at('good'), ...bad)).toEqual({
    ok: false,
    message: expect.stringMatching(/s1": .*; .*s2": .*; .*s3": .* and 1 more$/),
  });
});

asRoot("others' sockets are connected to only where the owner may", async () => {
  const open = await socket(join(root, 'log'), 0, 0o666);
  const closed = await socket(join(root, 'admin'), 0, 0o600);
  symlinkSync(open, join(root, 'dev-log'));
  expect(await mayConnect(open, join(root, 'dev-log'))).toEqual(YES);
  expect(await mayConnect(open, closed)).toEqual(no(closed, /the job's owner has no permission/));
  expect(await mayConnect(join(root, 'gone'))).toEqual(no(join(root, 'gone'), /it is gone/));
  expect(await mayConnect('/dev/null')).toEqual(no('/dev/null', /is no socket/));
});
