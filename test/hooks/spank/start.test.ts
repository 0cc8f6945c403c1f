import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scratch } from '../native.ts';
import { answer, type Behaviour, type FakeEngine, fakeEngine, plan, raw } from './fake-engine.ts';
import { type Built, build, call } from './plugin.ts';

const isRoot = process.getuid?.() === 0;
const OK = 'HTTP/1.1 200 OK\r\n';
const withLength = (head: string, body: string) => `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
const GOOD = 'action 11111111-2222-3333-4444-555555555555\narg /bin/true\n';

/** In slurmstepd, where the batch step of a job starts: what was logged, and whether the run is to be restored. */
async function start(
  built: Built,
  socket: string,
  { config = [] as string[], step = '4294967291', task = false } = {},
) {
  const began = performance.now();
  const { lines, code, signal } = await call(built, {
    context: 'remote',
    config: [`socket=${socket}`, ...config],
    // The task is slurmstepd's child; what it knows of the start is the same.
    commands: ['init', 'init_post_opt', ...(task ? ['task_init_privileged'] : []), 'exit'],
    env: { STUB_STEP: step },
  });
  // Whatever the engine answers, slurmstepd goes on.
  expect({ code, signal }, lines.join('\n')).toEqual({ code: 0, signal: null });
  expect(lines).toContain('init_post_opt returned 0');
  expect(lines.at(-1)).toBe('exit returned 0');
  const text = lines.join('\n');
  return {
    text,
    /** What its user reads. */
    user: lines.filter((line) => line.startsWith('user: ')),
    restores: text.includes('info: ckptd: job 77 is restored from checkpoint'),
    ms: performance.now() - began,
  };
}

/** In slurmd, before that: Slurm's count of the job's restarts. */
async function prolog(built: Built, socket: string, restarts?: string): Promise<string[]> {
  const { lines } = await call(built, {
    context: 'job_script',
    config: [`socket=${socket}`, 'hooks=/nowhere'],
    commands: ['job_prolog'],
    env: restarts === undefined ? {} : { SLURM_JOB_RESTART_COUNT: restarts },
  });
  expect(lines.at(-1)).toBe('job_prolog returned 0');
  return lines.slice(0, -1);
}

/** One that is there once the plugin has tried, found none, and tries again. */
async function lateEngine(socket: string): Promise<FakeEngine> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 500);
  await promise;
  return fakeEngine({ start: plan(['/bin/true']), failed: answer(200, 'ok\n') }, socket);
}

describe.skipIf(!isRoot && !process.env['CI'])('the start of a batch step', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build({ sanitize: true });
  }, 300_000);
  afterAll(() => built[Symbol.dispose]());

  test('asks for the job with its owner, and starts afresh when there is nothing', async () => {
    await using engine = await fakeEngine({
      start: raw('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'),
    });
    const { text, restores } = await start(built, engine.socket);
    expect(engine.requests).toEqual([
      { what: 'start', url: '/v1/jobs/77/start?uid=2000&gid=2000', body: '' },
    ]);
    expect(restores).toBe(false);
    expect(text).not.toContain('error:');
  });

  test.each([
    ['a step', '0'],
    ['the extern step', '4294967292'],
    ['an interactive step', '4294967290'],
  ])('%s is never asked about', async (_name, step) => {
    await using engine = await fakeEngine({ start: plan(['/bin/true']) });
    expect((await start(built, engine.socket, { step })).restores).toBe(false);
    expect(engine.requests).toEqual([]);
  });

  test('a plan that no task ever took is given back', async () => {
    await using engine = await fakeEngine({
      start: plan(['/bin/true', 'a b', '%', 'ü\n']),
      failed: answer(200, 'ok\n'),
    });
    expect((await start(built, engine.socket)).restores).toBe(true);
    expect(engine.requests.at(-1)).toMatchObject({
      what: 'failed',
      body: expect.stringContaining('before the job'),
    });
  });

  const hostile: [name: string, behaviour: Behaviour, why: RegExp][] = [
    ['no HTTP', raw('hello\r\n\r\n'), /no HTTP: it does not begin with a status line/],
    ['a NUL in the head', raw(`${OK}X: \0\r\nContent-Length: 0\r\n\r\n`), /NUL/],
    ['nothing but line ends', raw('\r\n\r\n\r\n\r\n'), /no HTTP/],
    ['an informational answer', raw('HTTP/1.1 100 Continue\r\n\r\n'), /none of an answer/],
    ['a status of one digit', raw('HTTP/1.1 2\r\n\r\n'), /no number/],
    ['HTTP/2', raw(withLength('HTTP/2 200 OK\r\n', GOOD)), /no HTTP/],
    ['no length', raw(`${OK}\r\n${GOOD}`), /no Content-Length/],
    ['two lengths', raw(`${OK}Content-Length: 3\r\nContent-Length: 300\r\n\r\nabc`), /two Content-Lengths/],
    ['a negative length', raw(`${OK}Content-Length: -1\r\n\r\n`), /Content-Length is no number/],
    ['a length beyond any memory', raw(`${OK}Content-Length: 99999999999999999999\r\n\r\n`), /very large/],
    ['a length beyond the bound', raw(`${OK}Content-Length: 1048577\r\n\r\n`), /too long: 1048577 bytes/],
    ['more than it says', raw(`${OK}Content-Length: 3\r\n\r\n${GOOD}`), /longer than it says/],
    ['chunks', raw(`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`), /Transfer-Encoding/],
    ['a head without end', raw(`${OK}${'X: y\r\n'.repeat(3_000)}`), /head of the answer is too long/],
    [
      '500',
      answer(500, '{"message":"the store is on fire"}'),
      /answers 500: \{"message":"the store is on fire"\}/,
    ],
    ['500 with control characters', answer(500, '\x1b[31mred\x07'), /answers 500: \?\[31mred\?/],
    ['an empty plan', answer(200, ''), /no plan: it names no action/],
    [
      'a plan without a command',
      answer(200, GOOD.split('\n')[0]!),
      /no plan: it names no action, or no command/,
    ],
    ['a command before the action', answer(200, GOOD.split('\n').toReversed().join('\n')), /no plan/],
    ['two actions', answer(200, GOOD.replace('arg', `${GOOD.split('\n')[0]}\narg`)), /not its first line/],
    ['an action that is a path', answer(200, GOOD.replace(/1{8}/, '../../..')), /no UUID/],
    ['a command without a path', answer(200, GOOD.replace('/bin/true', 'true')), /absolute path/],
    ['an empty command', answer(200, GOOD.replace('/bin/true', '')), /absolute path/],
    ['bad percent-encoding', answer(200, GOOD.replace('true', '%zz')), /not percent-encoded/],
    ['cut percent-encoding', answer(200, GOOD.replace('true\n', '%4')), /not percent-encoded/],
    ['an encoded NUL', answer(200, GOOD.replace('true', '%00')), /not percent-encoded/],
    ['a NUL', answer(200, GOOD.replace('true', '\0')), /a NUL in it/],
    ['an unknown line', answer(200, `${GOOD}env LD_PRELOAD=/tmp/x\n`), /neither an action nor an argument/],
    ['an empty line', answer(200, GOOD.replace('arg', '\narg')), /neither an action nor an argument/],
    ['10,000 arguments', answer(200, GOOD + 'arg x\n'.repeat(10_000)), /too many arguments/],
  ];
  test.each(hostile)('%s is an error, and a fresh start', async (_name, behaviour, why) => {
    await using engine = await fakeEngine({ start: behaviour, failed: answer(200, 'ok\n') });
    const { text, restores } = await start(built, engine.socket);
    expect(restores).toBe(false);
    expect(text).toMatch(/error: ckptd: job 77 starts from the beginning/);
    expect(text).toMatch(why);
  });

  const GARBAGE = Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 167) & 0xff));
  const ended: [name: string, behaviour: Behaviour, why: RegExp][] = [
    ['binary garbage, and the end', raw(GARBAGE), /hung up before/],
    ['a hang-up at once', (connection) => connection.destroy(), /hung up|cannot (read|send)/],
    ['a hang-up in the body', raw(`${OK}Content-Length: 300\r\n\r\naction 1`), /middle of its answer/],
    ['503', answer(503, 'the engine is being stopped'), /answers 503: the engine is being stopped/],
  ];
  test.each(ended)('%s: a first run asks once more, and starts afresh', async (_name, behaviour, why) => {
    await using engine = await fakeEngine({ start: behaviour });
    await prolog(built, engine.socket, '0');
    const { text, restores } = await start(built, engine.socket);
    expect([restores, engine.requests.length]).toEqual([false, 2]);
    expect(text).toMatch(/error: ckptd: job 77 \(restart 0\) starts from the beginning/);
    expect(text).toMatch(why);
    expect(existsSync(join(dirname(engine.socket), 'anew'))).toBe(false);
  });

  for (const restarts of ['1', undefined]) {
    test.each(ended)(
      `%s, twice: a run with ${restarts ?? 'nobody knows how many'} restarts asks on`,
      async (_name, behaviour) => {
        const behaviours = [behaviour, behaviour, plan(['/bin/true'])];
        await using engine = await fakeEngine({
          start: (...call) => behaviours.shift()!(...call),
          failed: answer(200, 'ok\n'),
        });
        await prolog(built, engine.socket, restarts);
        const { text, user, restores } = await start(built, engine.socket);
        expect([restores, user]).toEqual([true, []]);
        expect(text).not.toContain('error:');
        expect(new Set(engine.requests.slice(0, 3).map(({ url }) => url)).size).toBe(1);
        expect(existsSync(join(dirname(engine.socket), 'anew'))).toBe(false);
      },
    );
  }

  test('a restarted run whose engine is killed waits for the next one', async () => {
    using folder = scratch();
    const socket = join(folder.path, 'api.sock');
    const first = await fakeEngine({ start: () => {} }, socket);
    await prolog(built, socket, '1');
    const starting = start(built, socket);
    await first.asked('start');
    await first[Symbol.asyncDispose]();
    const behaviours = { start: plan(['/bin/true']), failed: answer(200, 'ok\n') };
    await using _next = await fakeEngine(behaviours, socket);
    expect(await starting).toMatchObject({ restores: true, user: [] });
  });

  test('a restarted run asks engines that end no longer than plugstack.conf says', async () => {
    await using engine = await fakeEngine({ start: answer(503, 'the engine is being stopped') });
    await prolog(built, engine.socket, '2');
    const { restores } = await start(built, engine.socket, { config: ['wait=1'] });
    expect(restores).toBe(false);
    expect(readdirSync(join(dirname(engine.socket), 'anew'))).toEqual(['77.2.2000']);
  });

  test('a plan that is not understood is given back', async () => {
    await using engine = await fakeEngine({
      start: answer(200, `${GOOD}odd\n`),
      failed: answer(200, 'ok\n'),
    });
    await start(built, engine.socket);
    expect(engine.requests.at(-1)).toMatchObject({
      what: 'failed',
      body: expect.stringContaining('does not understand the plan'),
    });
  });

  test('4,096 arguments and an answer in single bytes are fine', async () => {
    const body = GOOD + 'arg x\n'.repeat(4_095);
    const slowly: Behaviour = (connection) => {
      const bytes = Buffer.from(withLength(OK, body));
      for (const byte of bytes.subarray(0, 300)) connection.write(Buffer.of(byte));
      connection.end(bytes.subarray(300));
    };
    await using engine = await fakeEngine({ start: slowly, failed: answer(200, 'ok\n') });
    expect((await start(built, engine.socket)).restores).toBe(true);
  });

  test('an engine that works on it is waited for, as long as plugstack.conf says', async () => {
    await using engine = await fakeEngine({ start: () => {} });
    const { text, ms } = await start(built, engine.socket, { config: ['wait=2'] });
    expect(text).toContain('the engine did not answer in time');
    expect(ms).toBeGreaterThan(1_900);
    expect(ms).toBeLessThan(8_000);
  });

  test('an answer that drips does not last longer than a few seconds', { timeout: 30_000 }, async () => {
    const drip: Behaviour = (connection) => {
      const timer = setInterval(() => connection.write('H'), 100);
      connection.on('close', () => clearInterval(timer));
    };
    await using engine = await fakeEngine({ start: drip });
    const { text, ms } = await start(built, engine.socket, { config: ['wait=600'] });
    expect(text).toContain('did not answer in time');
    expect(ms).toBeLessThan(12_000);
  });

  test('where there is no engine, the job starts at once, and no error is logged', async () => {
    using folder = scratch();
    const { text, ms } = await start(built, join(folder.path, 'none/api.sock'));
    expect(text).toContain('info: ckptd: job 77 starts without a look for a checkpoint: nobody answers');
    expect(text).not.toContain('error:');
    expect(ms).toBeLessThan(2_000);
  });

  test('an engine that is being started is waited for', { timeout: 30_000 }, async () => {
    using folder = scratch();
    const socket = join(folder.path, 'api.sock');
    const starting = start(built, socket);
    await using engine = await lateEngine(socket);
    expect((await starting).restores).toBe(true);
    expect(engine.requests[0]).toMatchObject({ what: 'start' });
  });

  test('where nobody knows whether it is the first, an engine that is away is given ten seconds', {
    timeout: 30_000,
  }, async () => {
    using folder = scratch();
    const { text, user, ms } = await start(built, join(folder.path, 'api.sock'), { task: true });
    expect(text).toContain('error: ckptd: job 77 starts from the beginning: nobody answers at');
    expect(user).toEqual([]);
    expect(existsSync(join(folder.path, 'anew'))).toBe(false);
    expect(ms).toBeGreaterThan(9_000);
    expect(ms).toBeLessThan(15_000);
  });

  test('a first run waits for no engine that is down, and nobody reads of it', async () => {
    using folder = scratch();
    const socket = join(folder.path, 'api.sock');
    expect(await prolog(built, socket, '0')).toEqual([]);
    const { text, ms } = await start(built, socket, { task: true });
    expect(text.split('\n').filter((line) => !line.includes(' returned '))).toEqual([
      `debug: ckptd: job 77 has nothing to restore, and the engine is down: nobody answers at ${socket}: No such file or directory`,
    ]);
    expect(ms).toBeLessThan(2_000);
    expect(existsSync(join(folder.path, 'anew'))).toBe(false);
  });

  test('a first run asks an engine that is there: a job that had its id may have left something', async () => {
    await using engine = await fakeEngine({
      start: raw('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'),
    });
    await prolog(built, engine.socket, '0');
    const { text } = await start(built, engine.socket, { task: true });
    expect(engine.requests.map(({ url }) => url)).toEqual(['/v1/jobs/77/start?uid=2000&gid=2000&restarts=0']);
    expect(text).not.toMatch(/error:|user:/);
  });

  test('a restarted run that finds no engine says what is lost to its user, an admin and the engine', {
    timeout: 30_000,
  }, async () => {
    using folder = scratch();
    const socket = join(folder.path, 'api.sock');
    await prolog(built, socket, '3');
    const { text, user, ms } = await start(built, socket, { task: true });
    const line = `ckptd: job 77 (restart 3) starts from the beginning: nobody answers at ${socket}: No such file or directory`;
    expect(text.split('\n').filter((each) => each.startsWith('error: '))).toEqual([
      `error: ${line}. Checkpoints were not looked for, and older ones are not used any more, since this run overwrites its files. For those to come: systemctl start ckptd-engine on ${hostname()}`,
    ]);
    expect(user).toEqual([`user: ${line}`]);
    expect(readdirSync(join(folder.path, 'anew'))).toEqual(['77.3.2000']);
    expect(statSync(join(folder.path, 'anew')).mode & 0o777).toBe(0o700);
    expect(ms).toBeGreaterThan(9_000);
    expect(ms).toBeLessThan(15_000);
  });

  test('a restarted run waits for an engine that is being started, and is restored', {
    timeout: 30_000,
  }, async () => {
    using folder = scratch();
    const socket = join(folder.path, 'api.sock');
    await prolog(built, socket, '1');
    const starting = start(built, socket);
    await using engine = await lateEngine(socket);
    const { restores, user } = await starting;
    expect([restores, user]).toEqual([true, []]);
    expect(engine.requests[0]?.url).toBe('/v1/jobs/77/start?uid=2000&gid=2000&restarts=1');
    expect(existsSync(join(folder.path, 'anew'))).toBe(false);
  });

  const useless: [name: string, behaviour: Behaviour, why: string][] = [
    ['500', answer(500, 'the store is on fire'), 'the engine answers 500: the store is on fire'],
    ['nonsense', raw('hello\r\n\r\n'), 'the answer is no HTTP: it does not begin with a status line'],
  ];
  test.each(useless)(
    '%s: a restarted run tells its user, in one line, and a first one does not',
    async (_, behaviour, why) => {
      await using engine = await fakeEngine({ start: behaviour });
      await prolog(built, engine.socket, '1');
      const again = await start(built, engine.socket, { task: true });
      const line = `ckptd: job 77 (restart 1) starts from the beginning: ${why}`;
      expect(again.user).toEqual([`user: ${line}`]);
      expect(again.text).toContain(`error: ${line}`);
      const anew = join(dirname(engine.socket), 'anew');
      expect(readdirSync(anew)).toEqual(['77.1.2000']);
      rmSync(anew, { recursive: true });
      await prolog(built, engine.socket, '0');
      const first = await start(built, engine.socket, { task: true });
      expect(first.text).toContain(`error: ckptd: job 77 (restart 0) starts from the beginning: ${why}`);
      expect(first.user).toEqual([]);
      expect(existsSync(anew)).toBe(false);
    },
  );

  test("an engine that can use nothing of what is there: its reason is the user's, and it needs no word", async () => {
    await using engine = await fakeEngine({
      start: answer(409, 'its image core.img.zst is \x07missing\nmore'),
    });
    await prolog(built, engine.socket, '2');
    const { text, user, restores } = await start(built, engine.socket, { task: true });
    const line = 'ckptd: job 77 (restart 2) starts from the beginning: its image core.img.zst is ?missing';
    expect(user).toEqual([`user: ${line}`]);
    expect(text.split('\n')).toContain(`error: ${line}`);
    expect(restores).toBe(false);
    expect(existsSync(join(dirname(engine.socket), 'anew'))).toBe(false);
  });

  const notes: [name: string, spoil: (note: string) => void][] = [
    ['none', (note) => rmSync(note)],
    ['an empty one', (note) => writeFileSync(note, '')],
    ['a cut one', (note) => writeFileSync(note, '1')],
    ['words', (note) => writeFileSync(note, 'none\n')],
    ['two numbers', (note) => writeFileSync(note, '1 2\n')],
    ['a negative number', (note) => writeFileSync(note, '-1\n')],
    ['a number above all', (note) => writeFileSync(note, '65535\n')],
    ['a very long one', (note) => writeFileSync(note, '1'.repeat(100_000))],
    [
      'a link',
      (note) => {
        renameSync(note, `${note}.x`);
        symlinkSync(`${note}.x`, note);
      },
    ],
    [
      'a FIFO',
      (note) => {
        rmSync(note);
        execFileSync('mkfifo', [note]);
      },
    ],
    [
      'a folder',
      (note) => {
        rmSync(note);
        mkdirSync(note);
      },
    ],
    ['one that others may write', (note) => chmodSync(dirname(note), 0o777)],
    ["one in another's folder", (note) => chownSync(dirname(note), 65534, 65534)],
  ];
  test.each(notes)(
    'of the notes of Prolog, %s is none: it asks as it did before there were any',
    async (_, spoil) => {
      await using engine = await fakeEngine({ start: answer(500, 'no') });
      await prolog(built, engine.socket, '1');
      spoil(join(dirname(engine.socket), 'starts/77'));
      const { user } = await start(built, engine.socket, { task: true });
      expect(engine.requests.map(({ url }) => url)).toEqual(['/v1/jobs/77/start?uid=2000&gid=2000']);
      expect(user).toEqual([]);
    },
  );

  test('a socket that a user listens on is not the engine', async () => {
    using folder = scratch();
    chmodSync(folder.path, 0o777);
    const socket = join(folder.path, 'api.sock');
    const script = `const net = require('node:net');
      net.createServer((c) => c.on('data', (d) => c.end(${JSON.stringify(withLength(OK, GOOD))}))).listen(${JSON.stringify(socket)}, () => console.log('up'));`;
    const user = spawn(process.execPath, ['-e', script], {
      uid: 65534,
      gid: 65534,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(user.stdout, 'data');
      const { text, restores } = await start(built, socket);
      expect(restores).toBe(false);
      expect(text).toContain('user 65534 listens there, not root: it is not the engine');
    } finally {
      user.kill('SIGKILL');
      await once(user, 'exit');
    }
  });

  test('a path that is no socket, or too long for one, is an error', async () => {
    using folder = scratch();
    writeFileSync(join(folder.path, 'file'), '');
    expect((await start(built, join(folder.path, 'file'), { config: [] })).restores).toBe(false);
    const { text } = await start(built, `/${'x'.repeat(200)}/api.sock`);
    expect(text).toContain('is not an absolute path of a socket');
  });
});

describe.skipIf(!isRoot && !process.env['CI'])('Prolog and Epilog through the plugin', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build({ sanitize: true });
  }, 300_000);
  afterAll(() => built[Symbol.dispose]());

  /** A folder of hooks that are this script. */
  function hooks(script: string) {
    const folder = scratch();
    mkdirSync(join(folder.path, 'hooks'));
    for (const name of ['prolog', 'epilog'])
      writeFileSync(join(folder.path, 'hooks', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { ...folder, dir: join(folder.path, 'hooks'), [Symbol.dispose]: () => folder[Symbol.dispose]() };
  }

  test('the hooks run with what Slurm put in the environment, and nothing of slurmd', async () => {
    using folder = hooks(`{ echo "$0 $SLURM_JOB_ID"; ls /proc/self/fd | wc -l; } >>${'$'}{0%/hooks/*}/out`);
    await using engine = await fakeEngine({ ended: answer(202, 'accepted\n') });
    const config = [`hooks=${folder.dir}`, `socket=${engine.socket}`];
    const env = { SLURM_JOB_ID: '77' };
    const prolog = await call(built, { context: 'job_script', config, commands: ['job_prolog'], env });
    expect(prolog.lines).toEqual(['job_prolog returned 0']);
    expect(engine.requests).toEqual([]);
    const epilog = await call(built, { context: 'job_script', config, commands: ['job_epilog'], env });
    expect(epilog.lines.at(-1)).toBe('job_epilog returned 0');
    expect(engine.requests).toEqual([{ what: 'ended', url: '/v1/jobs/77/ended', body: '' }]);
    expect(readFileSync(join(folder.path, 'out'), 'utf8').trim().split('\n')).toEqual([
      `${folder.dir}/prolog 77`,
      // 0, 1, 2, and the folder itself.
      '4',
      `${folder.dir}/epilog 77`,
      '4',
    ]);
  });

  test.each([
    ['fails', 'exit 1'],
    ['is killed', 'kill -9 $$'],
  ])('a hook that %s fails nothing', async (_name, script) => {
    using folder = hooks(script);
    const config = [`hooks=${folder.dir}`, 'socket=/nowhere/api.sock'];
    const { lines } = await call(built, {
      context: 'job_script',
      config,
      commands: ['job_prolog', 'job_epilog'],
    });
    expect(lines.filter((line) => line.includes('returned'))).toEqual([
      'job_prolog returned 0',
      'job_epilog returned 0',
    ]);
  });

  test('a hook that hangs is killed after a second, with what it started', async () => {
    using folder = hooks(`sleep 300 & echo $! >${'$'}{0%/hooks/*}/child; wait`);
    const began = performance.now();
    const { lines } = await call(built, {
      context: 'job_script',
      config: [`hooks=${folder.dir}`],
      commands: ['job_prolog'],
    });
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(lines.join('\n')).toContain('is killed: it took over 1000 ms');
    const child = readFileSync(join(folder.path, 'child'), 'utf8').trim();
    expect(existsSync(`/proc/${child}`) && readFileSync(`/proc/${child}/stat`, 'utf8').includes(' S ')).toBe(
      false,
    );
  });

  test('an engine and a hook that both hang hold the Epilog up for a second together', async () => {
    await using engine = await fakeEngine({ ended: () => {} });
    using folder = hooks('sleep 300');
    const { lines } = await call(built, {
      context: 'job_script',
      config: [`hooks=${folder.dir}`, `socket=${engine.socket}`],
      commands: ['job_epilog'],
    });
    expect(lines.at(-1)).toBe('job_epilog returned 0');
    // What the engine took is off the hook's time.
    const hookMs = Number(/is killed: it took over (\d+) ms/.exec(lines.join('\n'))?.[1]);
    expect(hookMs).toBeGreaterThan(0);
    expect(hookMs).toBeLessThanOrEqual(800);
  });

  test('Prolog notes the restarts for slurmstepd, and Epilog takes that back', async () => {
    await using engine = await fakeEngine({ ended: answer(202, 'accepted\n') });
    const note = join(dirname(engine.socket), 'starts/77');
    await prolog(built, engine.socket, '12');
    expect(readFileSync(note, 'utf8')).toBe('12\n');
    expect([statSync(dirname(note)).mode & 0o777, statSync(note).mode & 0o777]).toEqual([0o700, 0o600]);
    await prolog(built, engine.socket, '13');
    expect(readFileSync(note, 'utf8')).toBe('13\n');
    const config = ['hooks=/nowhere', `socket=${engine.socket}`];
    await call(built, { context: 'job_script', config, commands: ['job_epilog'] });
    expect(existsSync(note)).toBe(false);
  });

  test.each([undefined, '', '65535', 'x', '-1', '1 ', '123456'])(
    'a Slurm that counts %o has no count, and that of the run before does not stay',
    async (restarts) => {
      using folder = scratch();
      const socket = join(folder.path, 'api.sock');
      await prolog(built, socket, '1');
      expect(await prolog(built, socket, restarts)).toEqual([]);
      expect(readdirSync(join(folder.path, 'starts'))).toEqual([]);
    },
  );

  test('a count that cannot be noted is an error, and no more', async () => {
    using folder = scratch();
    symlinkSync('/tmp', join(folder.path, 'starts'));
    const said = await prolog(built, join(folder.path, 'api.sock'), '1');
    expect(said).toEqual([expect.stringMatching(/^error: ckptd: job 77: its restart count cannot be noted/)]);
  });

  test('where there are no hooks and no engine, nothing is said but at level debug', async () => {
    const { lines } = await call(built, {
      context: 'job_script',
      config: ['hooks=/nowhere', 'socket=/nowhere/api.sock'],
      commands: ['job_prolog', 'job_epilog'],
    });
    expect(lines.filter((line) => !line.startsWith('debug:'))).toEqual([
      'job_prolog returned 0',
      'job_epilog returned 0',
    ]);
  });
});
