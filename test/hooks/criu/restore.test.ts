import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { make, scratch } from '../native.ts';
import { answer, type Behaviour, fakeEngine } from '../spank/fake-engine.ts';
import { fakeSwrk, RESTORES, ROOT } from './fake-swrk.ts';

const isRoot = process.getuid?.() === 0;
const [UID, GID] = [61_234, 61_235];
const GROUPS = '61235 61236 4000000000';
const [RESTORED, FAILED, EXITED] = [1, 2, 3];
const CHECKPOINT_RESTORE = 1n << 40n;
const SETPCAP = 1n << 8n;
/** hooks/shared/init-report.h */
const REPORT_BYTES = 2048;
const ok = answer(200, 'ok\n');

interface Report {
  readonly kind: number;
  readonly value: number;
  readonly text: string;
}

interface Restoring {
  /** What the engine says to the restored processes; null: there is none. */
  readonly check?: Behaviour | null;
  readonly env?: Readonly<Record<string, string>>;
  /** In the place of some of its arguments. */
  readonly args?: Readonly<Record<string, string>>;
  /** In front of it. */
  readonly begins?: readonly string[];
  readonly criu?: readonly string[];
}

describe.skipIf(!isRoot && !process.env['CI'])('ckptd-criu init restores', { timeout: 20_000 }, () => {
  const build = scratch();
  let folder = '';
  let images = '';
  let log = '';
  let gone: Disposable;
  beforeAll(() => make('criu', { OUT: build.path }), 120_000);
  afterAll(() => build[Symbol.dispose]());
  beforeEach(() => {
    const all = scratch();
    gone = all;
    chmodSync(all.path, 0o755);
    // Of the owner, as /home is.
    folder = join(all.path, 'home');
    mkdirSync(folder);
    chownSync(folder, UID, GID);
    // Root's alone, as the engine's folder is.
    const places = join(all.path, 'places');
    mkdirSync(places, { mode: 0o700 });
    images = join(places, 'images');
    mkdirSync(images);
    writeFileSync(join(images, 'files.img'), 'image', { mode: 0o444 });
    chmodSync(images, 0o555);
    log = join(places, 'restore.log');
    writeFileSync(join(folder, 'job'), 'exit 7\n');
  });
  afterEach(() => gone[Symbol.dispose]());

  /** A run of it as pid 1 of new namespaces, as the plugin begins it, with a CRIU that takes these steps. */
  async function restore(
    steps: readonly string[],
    { check = ok, env = {}, args = {}, begins = [], criu }: Restoring = {},
  ) {
    await using engine = await fakeEngine(check === null ? {} : { check });
    const words = {
      ...{ '--uid': String(UID), '--gid': String(GID), '--groups': GROUPS },
      ...{ '--capabilities': 'checkpoint_restore', '--images': images, '--root': String(ROOT) },
      ...{ '--files': '64', '--log': log, ...args },
    };
    const command = [
      ...begins,
      ...['unshare', '--pid', '--mount', '--fork', '--kill-child'],
      ...[join(build.path, 'ckptd-criu'), 'init', ...Object.entries(words).flat(), '--'],
      ...(criu ?? [...fakeSwrk(folder), ...steps]),
    ];
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        ...{ CKPTD_SOCKET: engine.socket, CKPTD_JOB: '8', CKPTD_SECRET: 'x', ...env },
      },
    });
    const streams = [buffer(child.stdio[3] as Readable), text(child.stderr!)] as const;
    const [code] = await once(child, 'exit');
    const [said, stderr] = await Promise.all(streams);
    return { code, stderr, reports: reportsIn(said), asked: engine.requests };
  }

  function reportsIn(bytes: Buffer): Report[] {
    const count = bytes.length / REPORT_BYTES;
    return Array.from({ length: count }, (_, at) => {
      const one = bytes.subarray(at * REPORT_BYTES, (at + 1) * REPORT_BYTES);
      const end = one.indexOf(0, 8);
      return { kind: one.readInt32LE(0), value: one.readInt32LE(4), text: one.toString('latin1', 8, end) };
    });
  }

  /** What CRIU saw of it. */
  const seen = (name: string) => readFileSync(join(folder, 'seen', name), 'latin1').trimEnd();
  const status = (key: string) => new RegExp(`^${key}:\t(.*?)\\s*$`, 'm').exec(seen('status'))?.[1];

  test('what CRIU has restored, and ends as that ends', async () => {
    const { reports, code, asked } = await restore(RESTORES);
    expect(reports).toEqual([
      { kind: RESTORED, value: ROOT, text: '' },
      { kind: EXITED, value: 7 << 8, text: '' },
    ]);
    expect(code).toBe(0);
    expect(asked).toEqual([{ what: 'check', url: '/v1/jobs/8/check', body: '' }]);
  });

  test('with the rights of the owner, and what it takes to give processes their pids', async () => {
    await restore(['--see', ...RESTORES]);
    const four = (id: number) => Array(4).fill(id).join('\t');
    expect([status('Uid'), status('Gid'), status('Groups')]).toEqual([four(UID), four(GID), GROUPS]);
    for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
      expect([set, BigInt(`0x${status(set)}`)]).toEqual([set, CHECKPOINT_RESTORE]);
    expect(status('NoNewPrivs')).toBe('0');
    expect(status('SigBlk')).toMatch(/^0+$/);
  });

  test('with one capability more, where a job has given up some for good', async () => {
    await restore(['--see', ...RESTORES], { args: { '--capabilities': 'checkpoint_restore,setpcap' } });
    for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
      expect([set, BigInt(`0x${status(set)}`)]).toEqual([set, CHECKPOINT_RESTORE | SETPCAP]);
  });

  test('root’s own job with root’s rights', async () => {
    const { reports } = await restore(['--see', ...RESTORES], {
      args: { '--uid': '0', '--gid': '0', '--groups': '' },
    });
    expect(reports[0]).toMatchObject({ kind: RESTORED });
    const own = /^CapEff:\t(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    expect([status('Uid'), status('Groups'), status('CapEff')]).toEqual(['0\t0\t0\t0', '', own]);
    // unprivileged (67) is 0.
    expect(seen('request')).toContain('980400');
  });

  test('and tells CRIU what to do by its socket alone', async () => {
    await restore(['--see', ...RESTORES]);
    const [, ...argv] = seen('argv').split('\n');
    expect(argv.slice(0, 3)).toEqual(['--no-default-config', `--folder=${folder}`, `--root=${ROOT}`]);
    expect(argv.slice(-2)).toEqual(['swrk', expect.stringMatching(/^\d+$/)]);
    const folderOfImages = `/proc/self/fd/${/\/fd\/(\d+)/.exec(Buffer.from(seen('request'), 'hex').toString('latin1'))?.[1]}`;
    const path = Buffer.from(folderOfImages).toString('hex');
    const length = folderOfImages.length.toString(16).padStart(2, '0');
    // criu_req: type RESTORE, opts with images_dir_fd -1, images_dir, notify_scripts, rst_sibling (by Yama), unprivileged, log_to_stderr.
    expect(seen('request')).toMatch(
      new RegExp(`^080212..08ffffffffffffffffff01a204${length}${path}6001d0010[01]980401b80401$`),
    );
    const descriptors = seen('descriptors').split('\n');
    expect(descriptors.slice(0, 3)).toEqual([
      '0 /dev/null',
      '1 /dev/null',
      expect.stringMatching(/^2 pipe:/),
    ]);
    // Nor is it given what init has: the report's socket, and its log.
    expect(descriptors.filter((line) => /socket:/.test(line))).toHaveLength(1);
    expect(descriptors.filter((line) => /restore\.log/.test(line))).toEqual([]);
  });

  test('and nothing of root’s environment gets to it', async () => {
    await restore(['--see', ...RESTORES]);
    const names = seen('environ')
      .split('\n')
      .filter((line) => line !== 'CRIU_FAULT=130');
    expect(names).toEqual(['LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin']);
  });

  test('from a folder that the owner has no path to, and cannot write to', async () => {
    await restore(['--see', ...RESTORES]);
    expect(seen('images')).toBe('files.img: image');
    expect(seen('written')).toBe('Permission denied');
    const path = `cat ${join(images, 'files.img')} >$1/by-path 2>&1`;
    writeFileSync(join(folder, 'job'), `${path}\n`);
    // The log is there.
    log = `${log}.2`;
    await restore(RESTORES);
    expect(readFileSync(join(folder, 'by-path'), 'utf8')).toMatch(/Permission denied/);
  });

  /** Soft and hard limits in the order of /proc; -1: unlimited. */
  const limits = (of: string) =>
    of
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((line) => [line.slice(0, 25).trim(), ...line.slice(25).trim().split(/\s+/).slice(0, 2)] as const)
      .map(([name, ...values]) => [
        name,
        ...values.map((value) => (value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value))),
      ]) as [name: string, soft: number, hard: number][];

  test('with as many open files as a process of the job could have, and no limit lower than before', async () => {
    const own = limits(readFileSync('/proc/self/limits', 'utf8'));
    const begins = ['prlimit', '--nofile=64:', '--stack=1048576:', '--'];
    await restore(['--see', ...RESTORES], { begins, args: { '--files': '500' } });
    const now = limits(seen('limits'));
    expect(now.map(([name]) => name)).toEqual(own.map(([name]) => name));
    for (const [at, [name, soft, hard]] of own.entries()) {
      const [, softNow, hardNow] = now[at]!;
      expect(hardNow, name).toBeGreaterThanOrEqual(hard);
      if (name === 'Max open files') expect(softNow).toBe(500);
      // Memory is laid out by it.
      else if (name === 'Max stack size') expect(softNow).toBe(1_048_576);
      else {
        expect(softNow, name).toBe(hardNow);
        expect(softNow, name).toBeGreaterThanOrEqual(soft);
      }
    }
  });

  test('whose limit of open files is never lowered, and goes no higher than it may', async () => {
    const begins = ['prlimit', '--nofile=300:', '--'];
    await restore(['--see', ...RESTORES], { begins, args: { '--files': '20' } });
    const files = () => limits(seen('limits')).find(([name]) => name === 'Max open files')!;
    expect(files()[1]).toBe(300);
    log = `${log}.2`;
    await restore(['--see', ...RESTORES], { begins, args: { '--files': '2147483647' } });
    expect(files()[1]).toBe(files()[2]);
  });

  test('and keeps what CRIU logs, which is root’s alone', async () => {
    writeFileSync(join(folder, 'words'), 'of CRIU\n');
    await restore(['--log=words', ...RESTORES, '--log=words']);
    expect(readFileSync(log, 'utf8')).toBe('of CRIU\nof CRIU\n');
    const { uid, gid, mode } = statSync(log);
    expect([uid, gid, (mode & 0o7777).toString(8)]).toEqual([0, 0, '600']);
  });

  test('and keeps of a flood of it a mebibyte, in which nothing is waited for', async () => {
    const { reports } = await restore(['--flood=5000000', ...RESTORES, '--flood=5000000']);
    expect(reports[0]).toMatchObject({ kind: RESTORED });
    expect(statSync(log).size).toBe(1024 * 1024);
  });

  test('no log over what is there, or by a link', async () => {
    writeFileSync(log, 'there');
    const { reports, code } = await restore(['--see', ...RESTORES]);
    expect(reports).toEqual([{ kind: FAILED, value: -1, text: `cannot begin the log ${log}: File exists` }]);
    expect([code, readFileSync(log, 'utf8'), existsSync(join(folder, 'seen'))]).toEqual([70, 'there', false]);
    const target = join(folder, 'target');
    log = `${log}.2`;
    symlinkSync(target, log);
    expect((await restore(RESTORES)).reports).toMatchObject([{ kind: FAILED }]);
    expect(existsSync(target)).toBe(false);
  });

  test('no images by a link', async () => {
    symlinkSync(images, join(folder, 'link'));
    const { reports } = await restore(RESTORES, { args: { '--images': join(folder, 'link') } });
    expect(reports).toEqual([
      { kind: FAILED, value: -1, text: `cannot open ${join(folder, 'link')}: Not a directory` },
    ]);
  });

  const ERRORS = `(00.001) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.002) pie: 12: nothing of interest
(00.003) Error (criu/files-reg.c:2101): Can't open file shared/d\u00fcta: No such file or directory
(00.004) Error (criu/cr-restore.c:2320): Restoring FAILED.
`;

  test('and says of a CRIU that fails why, in its own words', async () => {
    writeFileSync(join(folder, 'errors'), ERRORS);
    const { reports, code } = await restore(['--log=errors', '--fail']);
    expect(reports).toEqual([
      {
        kind: FAILED,
        value: -1,
        text: "CRIU exited with 1: Error (criu/files-reg.c:2101): Can't open file shared/d??ta: No such file or directory; Error (criu/cr-restore.c:2320): Restoring FAILED.",
      },
    ]);
    expect(code).toBe(70);
  });

  const yes = '080610012a0e0a0c706f73742d726573746f7265';
  test.each<[string, string[], RegExp]>([
    ['ends without a word', ['--exit=0'], /^CRIU exited with 0: its log \S+ has no error$/],
    ['ends without a word, when it has restored all', ['--restore', '--exit=0'], /^CRIU exited with 0/],
    ['is killed', ['--kill'], /^CRIU was killed by signal 9: its log \S+ has no error$/],
    ['is killed while it restores', ['--restore', '--kill'], /^CRIU was killed by signal 9/],
    [
      'is killed when it was answered',
      ['--restore', '--notify=post-restore', '--kill'],
      /^CRIU was killed by signal 9/,
    ],
    ['says nonsense', ['--message=ffffff', '--hang'], /^CRIU said what cannot be read, and was killed/],
    ['says nothing of how it went', ['--message=0802', '--hang'], /^CRIU said what cannot be read/],
    ['leaves half a tree', ['--restore', '--fail'], /^CRIU exited with 1/],
    [
      'has restored another process than the root',
      ['--restore', '--notify=post-restore', `--say=${ROOT - 1}`],
      new RegExp(`^CRIU says that process ${ROOT - 1} is the job's first, which was ${ROOT}$`),
    ],
    [
      'does not say what it restored',
      ['--restore', '--notify=post-restore', '--say=0'],
      /^CRIU says that process 0 is the job's first/,
    ],
    ['says that it did well, and fails', [...RESTORES, '--exit=3'], /^CRIU exited with 3/],
    ['says that it did well, and then that it did not', [...RESTORES, '--fail'], /^CRIU exited with 1/],
    [
      'says that it did well, and then nonsense',
      [...RESTORES, '--message=ff', '--exit=1'],
      /^CRIU said what/,
    ],
    ['says too much at once', [`--message=${yes}${'ff'.repeat(5000)}`, '--hang'], /^CRIU said what/],
  ])('nothing by a CRIU that %s', async (_, steps, why) => {
    const { reports, code, stderr } = await restore(steps);
    expect(reports).toEqual([{ kind: FAILED, value: -1, text: expect.stringMatching(why) }]);
    expect([code, stderr]).toEqual([70, '']);
  });

  test('nothing by a CRIU that is not there', async () => {
    const { reports } = await restore([], { criu: ['/nowhere/criu'] });
    expect(reports).toMatchObject([
      {
        kind: FAILED,
        text: 'CRIU exited with 127: Error (ckptd-criu): cannot run /nowhere/criu: No such file or directory',
      },
    ]);
  });

  test('nothing by a program that its owner may not run', async () => {
    const criu = fakeSwrk(folder);
    chownSync(criu[0]!, 0, 0);
    chmodSync(criu[0]!, 0o700);
    const { reports } = await restore([], { criu });
    expect(reports).toMatchObject([
      { kind: FAILED, text: expect.stringMatching(/cannot run .*Permission denied$/) },
    ]);
  });

  test('and asks the engine about what waits for its answer, and about nothing else', async () => {
    const others = ['pre-restore', 'setup-namespaces', 'post-setup-namespaces'].map(
      (name) => `--notify=${name}`,
    );
    const { reports, asked } = await restore([...others, ...RESTORES]);
    expect(reports[0]).toMatchObject({ kind: RESTORED });
    expect(asked).toHaveLength(1);
  });

  test('nothing runs before the engine has answered', async () => {
    writeFileSync(join(folder, 'job'), 'exit 0\n');
    // At a no the step that follows is not reached.
    const { reports } = await restore(['--notify=post-restore', '--sh=touch $1/resumed', `--say=${ROOT}`], {
      check: answer(409, 'no\n'),
    });
    expect(reports).toMatchObject([{ kind: FAILED }]);
    expect(existsSync(join(folder, 'resumed'))).toBe(false);
  });

  const refusals: [string, Behaviour, RegExp][] = [
    [
      'a no',
      answer(409, 'process 7 (a) of the job has another limit\n'),
      /^the engine refuses the restored files \(409\): process 7 \(a\) of the job has another limit$/,
    ],
    ['an unknown route', answer(404, 'what?'), /\(404\): what\?$/],
    ['an engine that failed', answer(500, ''), /\(500\): $/],
    ['another kind of yes', answer(202, 'ok\n'), /\(202\)/],
    ['garbage', (connection) => connection.end('200 ok\r\n\r\n'), /no HTTP/],
  ];
  test.each(refusals)('%s is no yes, and CRIU ends', async (_name, check, why) => {
    const { reports, code } = await restore(RESTORES, { check });
    expect(reports).toEqual([{ kind: FAILED, value: -1, text: expect.stringMatching(why) }]);
    expect(code).toBe(70);
  });

  test('an engine that ends over it is followed by one that is asked again', async () => {
    const behaviours: Behaviour[] = [
      (connection) => connection.destroy(),
      answer(503, 'stopping\n'),
      answer(200, 'ok\n'),
    ];
    const { reports } = await restore(RESTORES, {
      check: (connection, request) => behaviours.shift()!(connection, request),
    });
    expect(reports[0]).toMatchObject({ kind: RESTORED });
    expect(behaviours).toEqual([]);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['no engine', { CKPTD_SOCKET: '/nowhere/api.sock' }, /nobody answers/],
    ['no number of a job', { CKPTD_JOB: '8/../9' }, /nobody to ask about the restored files/],
    ['an empty one', { CKPTD_JOB: '' }, /nobody to ask about the restored files/],
  ])('with %s nothing is restored', async (_, env, why) => {
    const { reports } = await restore(RESTORES, { env });
    expect(reports).toEqual([{ kind: FAILED, value: -1, text: expect.stringMatching(why) }]);
  });

  test('nothing by a CRIU that says it did well before it was answered', async () => {
    const steps = ['--restore', '--notify-only=post-restore', `--say=${ROOT}`];
    expect((await restore(steps, { check: answer(409, 'no\n') })).reports).toMatchObject([{ kind: FAILED }]);
  });

  // Neither is seen to: hooks/criu/restore.c asks no more of a success than its pid.
  test.each<[string, string[]]>([
    ['without a word to the engine before', ['--restore', `--say=${ROOT}`]],
    ['and is told no then', ['--restore', '--notify-only=post-restore', `--say=${ROOT}`, '--hear']],
  ])('nothing by a CRIU that says it did well %s', async (_, steps) => {
    const { reports } = await restore(steps, { check: answer(409, 'no\n') });
    expect(reports).toMatchObject([{ kind: FAILED }]);
  });
});
