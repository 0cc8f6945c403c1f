import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer, Held } from '../../../daemon/engine/as-owner/protocol.ts';
import { act, doIt, Folder, isRoot, OWNER, STRANGER } from './support.ts';

const root = new Folder({ uid: 0, gid: 0, groups: [] });
beforeAll(() => {
  chmodSync(root.path, 0o755);
  root.file('secret', 'of root');
  chmodSync(root.at('secret'), 0o600);
  root.file('public', 'of root, for all');
  mkdirSync(root.at('closed'), { mode: 0o700 });
  writeFileSync(root.at('closed/readable'), 'nobody gets here');
});
afterAll(() => root[Symbol.dispose]());

/** What a process of root's has open at `path`: CRIU's view. */
function held(path: string, access: Held['access'] = 'read', name = path): Held {
  const { dev, ino } = statSync(path, { bigint: true });
  return { path: Buffer.from(name).toString('latin1'), dev: String(dev), ino: String(ino), access };
}

const identify = (...all: Held[]): Promise<Answer> => doIt({ op: 'identify', held: all });

test.runIf(isRoot)("what is the owner's, and what everybody may read, may be had", async () => {
  using folder = new Folder();
  const own = folder.file('own ü\n', 'text');
  const fifo = folder.at('fifo');
  execFileSync('mkfifo', [fifo]);
  chownSync(fifo, OWNER.uid, OWNER.gid);
  const all = [
    held(own, 'both'),
    held(own, 'write'),
    held(folder.path, 'path'),
    held(folder.path),
    // Without anybody at its other end.
    held(fifo, 'write'),
    held(fifo),
    held(root.at('public')),
    held(process.execPath),
    held('/dev/null', 'both'),
    held('/proc', 'read'),
  ];
  expect(await identify(...all)).toEqual({ ok: true, notes: [] });
});

test.runIf(isRoot).each([
  ["root's own file", 'secret', 'read', "the job's owner has no permission"],
  ['a public file, to be written', 'public', 'write', "the job's owner has no permission"],
  ['a public file, to be read and written', 'public', 'both', "the job's owner has no permission"],
  ['a readable file in a closed folder', 'closed/readable', 'read', "the job's owner has no permission"],
  ['the same, only to be there', 'closed/readable', 'path', "the job's owner has no permission"],
  ['a closed folder', 'closed', 'read', "the job's owner has no permission"],
] as const)('%s may not be had', async (_, name, access, why) => {
  using folder = new Folder();
  expect(await identify(held(folder.file('own', '')), held(root.at(name), access))).toEqual({
    ok: false,
    message: `the job may not have ${root.at(name)}: ${why}`,
  });
});

test.runIf(isRoot)("a hard link makes a file no more the owner's", async () => {
  using folder = new Folder();
  linkSync(root.at('secret'), folder.at('mine'));
  expect(await identify(held(folder.at('mine')))).toMatchObject({ ok: false });
  const others = folder.file('others', '', STRANGER);
  chmodSync(others, 0o600);
  expect(await identify(held(others))).toMatchObject({ ok: false });
});

test.runIf(isRoot)('another file at the path is not taken for the one that is open', async () => {
  using folder = new Folder();
  const own = folder.file('own', '');
  const one = held(root.at('secret'), 'read', own);
  expect(await identify(one)).toEqual({
    ok: false,
    message: `the job may not have ${own}: another file is there`,
  });
  symlinkSync(root.at('secret'), folder.at('link'));
  expect(await identify({ ...one, path: folder.at('link') })).toMatchObject({ ok: false });
  unlinkSync(own);
  expect(await identify(one)).toEqual({ ok: false, message: `the job may not have ${own}: it is gone` });
});

test.runIf(isRoot)('of many, three are named', async () => {
  const all = Array.from({ length: 50 }, () => held(root.at('secret')));
  expect(await identify(...all)).toMatchObject({
    ok: false,
    message: expect.stringMatching(/(secret.*){3} and 47 more$/),
  });
});

test.runIf(isRoot)('ten thousand files are looked at', async () => {
  using folder = new Folder();
  const all = Array.from({ length: 10_000 }, (_, index) => held(folder.file(`f${index}`, ''), 'both'));
  expect(await identify(...all)).toEqual({ ok: true, notes: [] });
});

/** Whether the owner may look into a process of his own, as ptrace(2) decides it; `environ` goes by the same rule. */
function ownerMayTrace(pid: number): boolean {
  const ids = [`--reuid=${OWNER.uid}`, `--regid=${OWNER.gid}`, '--clear-groups'];
  return spawnSync('setpriv', [...ids, 'cat', `/proc/${pid}/environ`]).status === 0;
}

test.runIf(isRoot)(
  'the answer cannot be forged: the owner may not trace the process that gives it',
  async () => {
    const becomes = join(import.meta.dirname, 'fixtures/becomes.ts');
    const ids = [String(OWNER.uid), String(OWNER.gid)];
    const child = spawn(process.execPath, [becomes, ...ids], { stdio: ['pipe', 'pipe', 'inherit'] });
    const plain = spawn('setpriv', [`--reuid=${ids[0]}`, `--regid=${ids[1]}`, '--clear-groups', 'cat']);
    try {
      await once(child.stdout, 'data');
      plain.stdin.write('started');
      await once(plain.stdout, 'data');
      expect(ownerMayTrace(plain.pid!)).toBe(true);
      expect(ownerMayTrace(child.pid!)).toBe(false);
    } finally {
      child.kill('SIGKILL');
      plain.kill('SIGKILL');
    }
  },
);

test.runIf(isRoot)('a process that did not become the owner does nothing', async () => {
  const answer = await act({ uid: 4_294_967_295, gid: OWNER.gid, groups: [] }, []);
  expect(answer).toMatchObject({ ok: false });
});
