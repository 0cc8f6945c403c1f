import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { run as compile, make, scratch } from '../native.ts';

const isRoot = process.getuid?.() === 0;
const ids = ['--uid', '2000', '--gid', '2001'];
const CAP_SYS_RESOURCE = 24n;
const CHECKPOINT_RESTORE = 1n << 40n;

const rights = (images: string, capabilities = 'checkpoint_restore') => [
  ...['--groups', '61236 4000000000', '--capabilities', capabilities],
  ...['--images', images],
];

/** `init` with good arguments, but for these; null: left out. */
function init(other: Readonly<Record<string, string | null>>, ...rest: readonly string[]): string[] {
  const all = {
    ...{ '--uid': '2000', '--gid': '2001', '--groups': '', '--capabilities': 'checkpoint_restore' },
    ...{ '--images': '/tmp', '--root': '40', '--files': '100', '--log': '/nowhere/log', '--fd': '3' },
    ...other,
  };
  return [
    'init',
    ...Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [name, value])),
    ...rest,
  ];
}
const FIXTURE = join(import.meta.dirname, 'fixtures/debug-registers.c');

describe.skipIf(!isRoot && !process.env['CI'])('ckptd-criu', () => {
  let helper: string;
  let out: ReturnType<typeof scratch>;
  beforeAll(() => {
    out = scratch();
    make('criu', { OUT: out.path });
    helper = join(out.path, 'ckptd-criu');
  }, 120_000);
  afterAll(() => out[Symbol.dispose]());

  const run = (...args: string[]) => spawnSync(helper, args, { encoding: 'utf8' });

  test.each<[string, string[]]>([
    ['no role', []],
    ['an unknown role', ['dump']],
    ['no ids', ['run', '--', '/bin/true']],
    ['no CRIU', ['run', ...ids, '--']],
    ['no end of the options', ['run', ...ids, '/bin/true']],
    ['CRIU by name', ['run', ...ids, '--', 'criu']],
    ['an unknown option', ['run', ...ids, '--frobnicate', '1', '--', '/bin/true']],
    ["another role's option", ['run', ...ids, '--log', '/x', '--', '/bin/true']],
    ['an option without a value', ['run', ...ids, '--inside']],
    ['a uid with a sign', ['run', '--uid', '-1', '--gid', '0', '--', '/bin/true']],
    ['a uid with a space', ['run', '--uid', ' 1', '--gid', '0', '--', '/bin/true']],
    ['the uid that is none', ['run', '--uid', '4294967295', '--gid', '0', '--', '/bin/true']],
    ['a uid past all', ['run', '--uid', '99999999999999999999', '--gid', '0', '--', '/bin/true']],
    ['rights without a folder', ['run', ...ids, '--capabilities', 'setpcap', '--', '/bin/true']],
    ['a relative folder', ['run', ...ids, ...rights('x'), '--', '/bin/true']],
    [
      'a capability that no restore needs',
      ['run', ...ids, ...rights('/tmp', 'sys_admin'), '--', '/bin/true'],
    ],
    ['a capability in other words', ['run', ...ids, ...rights('/tmp', 'CAP_SETPCAP'), '--', '/bin/true']],
    ['one good and one bad', ['run', ...ids, ...rights('/tmp', 'setpcap,,x'), '--', '/bin/true']],
    ['groups with commas', ['run', ...ids, '--groups', '1,2', '--', '/bin/true']],
    ['groups with two spaces', ['run', ...ids, '--groups', '1  2', '--', '/bin/true']],
    ['groups with a space at the end', ['run', ...ids, '--groups', '1 ', '--', '/bin/true']],
    ['a group with a sign', ['run', ...ids, '--groups', '-1', '--', '/bin/true']],
    ['the group that is none', ['run', ...ids, '--groups', '4294967295', '--', '/bin/true']],
    ['run with what init takes', ['run', ...ids, '--root', '40', '--', '/bin/true']],
    ['init without CRIU', init({})],
    ...['--capabilities', '--images', '--root', '--log'].map((name): [string, string[]] => [
      `init without ${name}`,
      init({ [name]: null }, '--', '/bin/true'),
    ]),
    ['init with a relative log', init({ '--log': 'x' }, '--', '/bin/true')],
    ['init of pid 1', init({ '--root': '1' }, '--', '/bin/true')],
    ['init of a pid beyond all', init({ '--root': '2147483648' }, '--', '/bin/true')],
    ['init with another number of files', init({ '--files': '1k' }, '--', '/bin/true')],
    ['init without the socket that it is told', init({ '--fd': '99' }, '--', '/bin/true')],
  ])('%s is a usage error', (_name, args) => {
    const { status, stderr } = run(...args);
    expect(status).toBe(64);
    expect(stderr).toMatch(/ckptd-criu/);
  });

  test('run ends as CRIU ends', () => {
    expect(run('run', ...ids, '--', '/bin/sh', '-c', 'echo out; exit 7')).toMatchObject({
      status: 7,
      stdout: 'out\n',
    });
    expect(run('run', ...ids, '--', '/bin/sh', '-c', 'kill -TERM $$')).toMatchObject({
      status: null,
      signal: 'SIGTERM',
    });
    expect(run('run', ...ids, '--', '/nowhere/criu')).toMatchObject({
      status: 127,
      stderr: 'Error (ckptd-criu): cannot run /nowhere/criu: No such file or directory\n',
    });
  });

  test("CRIU is root, and has the owner's real ids exactly where root may not set limits", () => {
    const caps = BigInt(`0x${/^CapEff:\t(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
    const real = (caps >> CAP_SYS_RESOURCE) & 1n ? ['0', '0'] : ['2000', '2001'];
    const { stdout } = run('run', ...ids, '--', '/bin/grep', '-E', '^(Uid|Gid)', '/proc/self/status');
    expect(stdout).toBe(`Uid:\t${real[0]}\t0\t0\t0\nGid:\t${real[1]}\t0\t0\t0\n`);
  });

  // Elsewhere CRIU's breakpoints are no registers of a virtual machine's.
  test.skipIf(process.arch !== 'x64').each([
    ['dead', '130'],
    ['alive', 'unset'],
  ])('where debug registers are %s, CRIU_FAULT is %j', (registers, fault) => {
    const library = join(out.path, 'debug-registers.so');
    compile('gcc', ['-shared', '-fPIC', '-O1', '-D_GNU_SOURCE', '-o', library, FIXTURE, '-ldl']);
    const env = { LD_PRELOAD: library, DEBUG_REGISTERS: registers };
    const criu = ['/bin/sh', '-c', 'printenv CRIU_FAULT || echo unset'];
    const { stdout } = spawnSync(helper, ['run', ...ids, '--', ...criu], { encoding: 'utf8', env });
    expect(stdout).toBe(`${fault}\n`);
  });

  describe('with the rights of the owner', () => {
    let images = '';
    let work: ReturnType<typeof scratch>;
    beforeEach(() => {
      work = scratch();
      chmodSync(out.path, 0o755);
      // As the staging folder is: nobody but root comes there by its path, and the folder itself is the owner's.
      images = join(work.path, 'images');
      mkdirSync(images);
      chownSync(images, 2000, 2001);
    });
    afterEach(() => work[Symbol.dispose]());

    const asOwner = (script: string, capabilities?: string) =>
      run('run', ...ids, ...rights(images, capabilities), '--', '/bin/sh', '-c', script);

    test.each([
      ['checkpoint_restore', CHECKPOINT_RESTORE],
      ['setpcap,checkpoint_restore', CHECKPOINT_RESTORE | (1n << 8n)],
    ])('CRIU is them, with %s and no capability more', (names, bits) => {
      const { stdout, status } = asOwner('exec cat /proc/self/status', names);
      expect(status).toBe(0);
      const of = (key: string) => new RegExp(`^${key}:\t(.*?)\\s*$`, 'm').exec(stdout)?.[1];
      const four = (id: number) => Array(4).fill(id).join('\t');
      expect([of('Uid'), of('Gid'), of('Groups')]).toEqual([four(2000), four(2001), '61236 4000000000']);
      for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
        expect([set, BigInt(`0x${of(set)}`)]).toEqual([set, bits]);
      expect(of('NoNewPrivs')).toBe('0');
    });

    test('CRIU has the folder of the images as descriptor 9, and no path to it', () => {
      const { stdout } = asOwner('readlink /proc/self/fd/9; echo text >/proc/self/fd/9/new; cat $0/new');
      expect(stdout).toBe(`${images}\n`);
      const { uid, gid } = statSync(join(images, 'new'));
      expect([uid, gid, readFileSync(join(images, 'new'), 'utf8')]).toEqual([2000, 2001, 'text\n']);
      expect(asOwner(`ls ${images}`).stderr).toMatch(/Permission denied/);
    });

    test('a folder that is none, or a link, is no folder of images', () => {
      for (const [name, make] of [
        ['none', () => undefined],
        ['link', () => symlinkSync(images, join(work.path, 'link'))],
        ['file', () => writeFileSync(join(work.path, 'file'), '')],
      ] as const) {
        make();
        const path = join(work.path, name);
        expect(run('run', ...ids, ...rights(path), '--', '/bin/echo', 'ran')).toMatchObject({
          status: 127,
          stdout: '',
          stderr: expect.stringMatching(new RegExp(`^Error \\(ckptd-criu\\): cannot open ${path}: `)),
        });
      }
    });

    /** CRIU's action script at post-dump, with its environment. */
    function postDump(record: string, root: number, folder: string | null = '/proc/self/fd/9') {
      const env = `CRTOOLS_SCRIPT_ACTION=post-dump CKPTD_RECORD=${record} CKPTD_ROOT=${root}`;
      return asOwner(`${folder === null ? '' : `CRTOOLS_IMAGE_DIR=${folder}`} ${env} exec ${helper}`);
    }

    test('its action script writes a record without a path into the folder of the images', async () => {
      const job = spawn('setpriv', ['--reuid=2000', '--regid=2001', '--clear-groups', 'cat'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        job.stdin.write('started');
        await once(job.stdout, 'data');
        expect(postDump('record', job.pid!)).toMatchObject({ status: 0, stderr: '' });
        const text = readFileSync(join(images, 'record'), 'utf8');
        expect(text).toMatch(new RegExp(`^exe ${job.pid} .* \\S*/cat$`, 'm'));
        expect(text).toMatch(/^end \d+$/m);
        const { uid, mode } = statSync(join(images, 'record'));
        expect([uid, (mode & 0o7777).toString(8)]).toEqual([2000, '600']);
        // It is there now.
        expect(postDump('record', job.pid!)).toMatchObject({
          status: 1,
          stderr: 'Error (ckptd-criu): cannot create record: File exists\n',
        });
        expect(postDump('other', job.pid!, null)).toMatchObject({
          status: 1,
          stderr: expect.stringMatching(/^Error \(ckptd-criu\): cannot create other: /),
        });
        symlinkSync('/tmp/ckptd-nobody-has-this', join(images, 'link'));
        expect(postDump('link', job.pid!)).toMatchObject({ status: 1 });
        expect(existsSync('/tmp/ckptd-nobody-has-this')).toBe(false);
      } finally {
        job.stdin.end();
        await once(job, 'exit');
      }
    });

    test('its action script records no process that the owner may not look into', () => {
      expect(postDump('record', process.pid)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/^Error \(ckptd-criu\): /),
      });
      expect(readFileSync(join(images, 'record'), 'utf8')).not.toMatch(/^end /m);
    });
  });

  test('its action script is root again, wholly', () => {
    // What the owner may signal, they could stop in the middle: it goes by the real id.
    const folder = scratch();
    const env = `CRTOOLS_SCRIPT_ACTION=post-dump CKPTD_RECORD=${folder.path}/record CKPTD_ROOT=$$`;
    const { status, stderr } = spawnSync(
      'setpriv',
      ['--ruid=2000', '--rgid=2001', '--keep-groups', 'bash', '-pc', `${env} exec ${helper}`],
      {
        encoding: 'utf8',
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const text = readFileSync(join(folder.path, 'record'), 'utf8');
    expect(text).toMatch(/^end \d+$/m);
    folder[Symbol.dispose]();
  });

  test.each(['post-restore', 'pre-dump', 'network-lock'])(
    'at %s its action script has nothing to do',
    (action) => {
      const env = { CRTOOLS_SCRIPT_ACTION: action, CKPTD_RECORD: '/nowhere/record', CKPTD_ROOT: '1' };
      expect(spawnSync(helper, [], { env, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    },
  );

  test('--inside is where that process lives', async () => {
    const inner = spawn(
      'unshare',
      ['--pid', '--mount', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', 'echo $$; read x'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    try {
      await once(inner.stdout, 'data');
      const [init] = readFileSync(`/proc/${inner.pid}/task/${inner.pid}/children`, 'utf8').trim().split(' ');
      const { stdout, status } = run(
        'run',
        ...ids,
        '--inside',
        init!,
        '--',
        '/bin/sh',
        '-c',
        'readlink /proc/self/ns/pid /proc/self/ns/mnt; echo $$; exit 9',
      );
      expect(status).toBe(9);
      const [pid, mnt, own] = stdout.trim().split('\n');
      expect([pid, mnt]).toEqual(['pid', 'mnt'].map((kind) => readlinkSync(`/proc/${init}/ns/${kind}`)));
      expect(pid).not.toBe(readlinkSync('/proc/self/ns/pid'));
      expect(Number(own)).toBeLessThan(100);
    } finally {
      inner.stdin.end();
      await once(inner, 'exit');
    }
  });

  test('--inside namespaces that a user has made nothing is run', async () => {
    const args = ['--user', '--map-root-user', '--mount', 'sh', '-c', 'echo made; read x'];
    const inner = spawn('setpriv', ['--reuid=2000', '--regid=2001', '--clear-groups', 'unshare', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await once(inner.stdout, 'data');
      expect(run('run', ...ids, '--inside', String(inner.pid), '--', '/bin/echo', 'ran')).toMatchObject({
        status: 71,
        stdout: '',
        stderr: expect.stringContaining('Operation not permitted'),
      });
    } finally {
      inner.stdin.end();
      await once(inner, 'exit');
    }
  });

  test('--inside a process that lives here changes nothing, and of one that is gone says so', () => {
    expect(
      run(
        'run',
        ...ids,
        '--inside',
        String(process.pid),
        '--',
        '/bin/readlink',
        '/proc/self/ns/pid',
      ).stdout.trim(),
    ).toBe(readlinkSync('/proc/self/ns/pid'));
    expect(run('run', ...ids, '--inside', String(2 ** 22 - 1), '--', '/bin/true')).toMatchObject({
      status: 71,
      stderr: expect.stringContaining('cannot enter the namespaces of process 4194303: No such file'),
    });
  });

  test('init is nothing but pid 1 of a namespace', () => {
    const { status, output } = spawnSync(helper, init({}, '--', '/bin/true'), {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    expect(status).toBe(70);
    expect(output[3]?.toString('latin1')).toContain('ckptd-criu init is not pid 1 of a namespace');
  });
});
