import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run as compile, make, scratch } from '../native.ts';
import { answer, type Behaviour, fakeEngine } from '../spank/fake-engine.ts';

const isRoot = process.getuid?.() === 0;
const ids = ['--uid', '2000', '--gid', '2001'];
const CAP_SYS_RESOURCE = 24n;
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

  test.each([
    ['no role', []],
    ['an unknown role', ['dump']],
    ['no ids', ['run', '--', '/bin/true']],
    ['no CRIU', ['run', ...ids, '--']],
    ['no end of the options', ['run', ...ids, '/bin/true']],
    ['CRIU by name', ['run', ...ids, '--', 'criu']],
    ['an unknown option', ['run', ...ids, '--frobnicate', '1', '--', '/bin/true']],
    ["another role's option", ['run', ...ids, '--pidfile', '/x', '--', '/bin/true']],
    ['an option without a value', ['run', ...ids, '--inside']],
    ['a uid with a sign', ['run', '--uid', '-1', '--gid', '0', '--', '/bin/true']],
    ['a uid with a space', ['run', '--uid', ' 1', '--gid', '0', '--', '/bin/true']],
    ['the uid that is none', ['run', '--uid', '4294967295', '--gid', '0', '--', '/bin/true']],
    ['a uid past all', ['run', '--uid', '99999999999999999999', '--gid', '0', '--', '/bin/true']],
    ['init without its files', ['init', ...ids, '--', '/bin/true']],
    ['init with a relative path', ['init', ...ids, '--pidfile', 'x', '--log', '/x', '--', '/bin/true']],
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

  test('its action script is root again, wholly', () => {
    // What a script that is still the owner could not do: CRIU's log is all that it can write to.
    const script = `CRTOOLS_SCRIPT_ACTION=post-restore CKPTD_SOCKET=/nowhere/api.sock CKPTD_JOB=8 exec ${helper}`;
    const { status, stderr } = run('run', ...ids, '--', '/bin/bash', '-p', '-c', script);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(
        /^Error \(ckptd-criu\): asking the engine about the restored files: nobody answers/,
      ),
    });
    const user = spawnSync(helper, [], {
      uid: 65534,
      env: { CRTOOLS_SCRIPT_ACTION: 'post-restore' },
      encoding: 'utf8',
    });
    expect(user.status).not.toBe(0);
  });

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
    const { status } = spawnSync(
      helper,
      ['init', ...ids, '--pidfile', '/x', '--log', '/x', '--', '/bin/true'],
      {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      },
    );
    expect(status).toBe(70);
  });

  describe('after a restore, before anything runs', () => {
    /** CRIU's action script, at post-restore. Not spawnSync: the engine lives in this process. */
    async function check(socket: string | undefined, job: string | undefined = '8') {
      const child = spawn(helper, [], {
        env: {
          CRTOOLS_SCRIPT_ACTION: 'post-restore',
          ...(socket === undefined ? {} : { CKPTD_SOCKET: socket }),
          ...(job === undefined ? {} : { CKPTD_JOB: job }),
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      const [code] = await once(child, 'close');
      return { code, stderr };
    }

    test('only a clear yes lets CRIU go on', async () => {
      await using engine = await fakeEngine({ check: answer(200, 'ok\n') });
      expect(await check(engine.socket)).toEqual({ code: 0, stderr: '' });
      expect(engine.requests).toEqual([{ what: 'check', url: '/v1/jobs/8/check', body: '' }]);
    });

    const refusals: [string, Behaviour, RegExp][] = [
      [
        'a no',
        answer(409, 'the job may not have /etc/shadow\n'),
        /refuses the restored files \(409\): the job may not have \/etc\/shadow$/m,
      ],
      ['an unknown route', answer(404, 'what?'), /\(404\): what\?$/m],
      ['an engine that failed', answer(500, ''), /\(500\): $/m],
      ['another kind of yes', answer(202, 'ok\n'), /\(202\)/],
      ['garbage', (connection) => connection.end('200 ok\r\n\r\n'), /no HTTP/],
    ];
    test.each(refusals)('%s makes it abort', async (_name, behaviour, why) => {
      await using engine = await fakeEngine({ check: behaviour });
      const { code, stderr } = await check(engine.socket);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^Error \(ckptd-criu\): /);
      expect(stderr).toMatch(why);
    });

    test('an engine that ends over it is followed by one that is asked again', async () => {
      const asked: Behaviour[] = [
        (connection) => connection.destroy(),
        answer(503, 'stopping\n'),
        answer(200, 'ok\n'),
      ];
      await using engine = await fakeEngine({
        check: (connection, request) => asked.shift()!(connection, request),
      });
      expect(await check(engine.socket)).toMatchObject({ code: 0, stderr: '' });
      expect(asked).toEqual([]);
    });

    test('without an engine or a job it aborts', async () => {
      for (const { code } of [await check(undefined), await check('/x', '8/../9'), await check('/x', '')])
        expect(code).toBe(1);
      expect((await check('/nowhere/api.sock')).stderr).toContain('nobody answers');
    });
  });
});
