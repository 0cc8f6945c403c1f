import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Verdict } from '../../../daemon/engine/ports.ts';
import { type Held, identifier } from '../../../daemon/engine/start/held.ts';
import { Lanes } from '../../../daemon/system/lanes.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { until } from '../../lab/until.ts';
import { Folder, isRoot, OWNER, STRANGER } from '../as-owner/support.ts';
import { HELPER, identify as identifyAs } from './helper.ts';

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

const identify = (...all: Held[]): Promise<Verdict> => identifyAs(OWNER, all, null);

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
  expect(await identify(...all)).toEqual({ ok: true });
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
  expect(await identify(...all)).toEqual({ ok: true });
});

/** Whether the owner may look into a process of his own, as ptrace(2) decides it; `environ` goes by the same rule. */
function ownerMayTrace(pid: number): boolean {
  const ids = [`--reuid=${OWNER.uid}`, `--regid=${OWNER.gid}`, '--clear-groups'];
  return spawnSync('setpriv', [...ids, 'cat', `/proc/${pid}/environ`]).status === 0;
}

test.runIf(isRoot)(
  'the answer cannot be forged: the owner may not trace the process that gives it',
  async () => {
    const ids = ['--uid', String(OWNER.uid), '--gid', String(OWNER.gid), '--group', '61236'];
    const child = spawn(HELPER, ['identify', ...ids], { stdio: ['pipe', 'ignore', 'inherit'] });
    const plain = spawn('setpriv', [`--reuid=${OWNER.uid}`, `--regid=${OWNER.gid}`, '--clear-groups', 'cat']);
    try {
      // It waits for what it is to look at.
      const status = await until(
        () => {
          const [own = ''] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(
            ' ',
          );
          const text = own && readFileSync(`/proc/${own}/status`, 'latin1');
          return /^NoNewPrivs:\t1$/m.test(text) && text;
        },
        { what: 'it to be the owner' },
      );
      const id = (key: string) => new RegExp(`^${key}:\t(.*?)\\s*$`, 'm').exec(status)?.[1];
      expect(id('Uid')).toBe(Array(4).fill(OWNER.uid).join('\t'));
      expect(id('Gid')).toBe(Array(4).fill(OWNER.gid).join('\t'));
      expect(id('Groups')).toBe('61236');
      expect(id('CapPrm')).toMatch(/^0+$/);
      plain.stdin.write('started');
      await once(plain.stdout, 'data');
      expect(ownerMayTrace(plain.pid!)).toBe(true);
      expect(ownerMayTrace(Number(id('Pid')))).toBe(false);
    } finally {
      child.stdin!.end();
      plain.kill('SIGKILL');
    }
  },
);

test.runIf(isRoot)(
  'a process that cannot become the owner, or has no right answer, allows nothing',
  async () => {
    const nobody = { uid: 4_294_967_295, gid: OWNER.gid, groups: [] };
    expect(await identifyAs(nobody, [], null)).toMatchObject({ ok: false });
    expect(await identifyAs(OWNER, [], 4_194_303)).toMatchObject({ ok: false });
    const odd = { path: 'relative', dev: '1', ino: '1', access: 'read' } as const;
    expect(await identify(odd)).toMatchObject({ ok: false, message: expect.stringContaining('entry 1') });
    const silent = identifier(systemExec(), new Lanes(), '/bin/true');
    expect(await silent(OWNER, [], null)).toEqual({
      ok: false,
      message: 'what the job holds cannot be looked at: /bin/true gave no answer',
    });
  },
);

test.runIf(isRoot)('many groups are the owner’s, too', async () => {
  using folder = new Folder();
  const shared = folder.file('shared', '', { uid: 0, gid: 61_299, groups: [] });
  chmodSync(shared, 0o060);
  expect(await identify(held(shared, 'both'))).toMatchObject({ ok: false });
  const groups = Array.from({ length: 300 }, (_, index) => 61_000 + index);
  expect(await identifyAs({ ...OWNER, groups }, [held(shared, 'both')], null)).toEqual({ ok: true });
});
