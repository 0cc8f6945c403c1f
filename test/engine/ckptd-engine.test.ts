import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeSlurm, fakeSlurm } from '../support/fake-slurm/fake-slurm.ts';
import { ask } from './http/support.ts';

const PROGRAM = join(import.meta.dirname, '../../daemon/engine/ckptd-engine.ts');
const CLUSTER = '0b7e6f1a-52b8-4a3c-9d5e-6f7a8b9c0d1e';

let slurm: FakeSlurm;
let dir: string;
beforeAll(async () => {
  slurm = await fakeSlurm();
  dir = mkdtempSync(join(tmpdir(), 'ckptd-engine-'));
});
afterAll(async () => {
  await slurm[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs `node daemon/engine/ckptd-engine.ts`, as from a checkout, to its end. */
function engine(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] };
    execFile(process.execPath, [PROGRAM, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

interface Place {
  readonly file: string;
  readonly socket: string;
  readonly store: string;
}

/** A configuration whose folders are all in one of its own; `shared` names some of another place's. */
function place(name: string, over: Readonly<Record<string, string>> = {}): Place {
  const own = join(dir, name);
  mkdirSync(join(own, 'store'), { recursive: true, mode: 0o700 });
  const keys = {
    cluster_id: CLUSTER,
    dir: join(own, 'store'),
    work_dir: join(own, 'work'),
    run_dir: join(own, 'run'),
    criu: '/bin/true',
    policies: join(own, 'none.yaml'),
    slurm: `{node: n1, bin: ${slurm.bin}}`,
    socket: `{path: ${join(own, 'api.sock')}, group: root}`,
    ...over,
  };
  const file = join(own, 'engine.yaml');
  writeFileSync(
    file,
    Object.entries(keys)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(''),
  );
  return { file, socket: join(own, 'api.sock'), store: keys.dir };
}

interface Running extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly lines: { level: string; msg: string }[];
  /** Its exit code; null for a signal. */
  readonly ended: Promise<number | null>;
}

/** Resolves once it says that it is up. */
async function running({ file }: Place): Promise<Running> {
  const child = spawn(process.execPath, [PROGRAM, 'run', '-c', file], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const lines: Running['lines'] = [];
  const up = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(JSON.parse(line));
    if (lines.at(-1)?.msg === 'ckptd-engine is up') up.resolve();
  });
  void ended.then((code) => up.reject(new Error(`ended with ${code}: ${JSON.stringify(lines)}`)));
  await up.promise;
  return {
    child,
    lines,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('the command line', () => {
  test('--help tells the commands, the options and the exit statuses', async () => {
    const { code, stdout } = await engine('--help');
    expect(code).toBe(0);
    for (const word of ['run', 'check', '--config', '--version', '64', '78']) expect(stdout).toContain(word);
  });

  test.each([[[]], [['fly']], [['run', 'away']], [['run', '--colour']]])(
    'wrong usage %j ends with 64 and the help',
    async (args) => {
      const { code, stderr } = await engine(...args);
      expect(code).toBe(64);
      expect(stderr).toContain('Usage: ckptd-engine run');
    },
  );

  test('check and run with a bad file end with 78, and all that is wrong', async () => {
    const bad = place('bad', { cluster_id: '7', keep: '0' });
    for (const command of ['check', 'run']) {
      const { code, stderr } = await engine(command, '-c', bad.file);
      expect(code).toBe(78);
      for (const word of ['cluster_id', 'keep', 'engine.yaml:1:13']) expect(stderr).toContain(word);
    }
    expect((await engine('run', '-c', join(dir, 'nowhere.yaml'))).code).toBe(78);
  });

  test('check says what a good file means', async () => {
    const { code, stdout } = await engine('check', '--config', place('good').file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^OK /);
  });
});

describe('run', () => {
  test('it serves until it is told to stop, and takes its socket along', async () => {
    const here = place('serve');
    await using it = await running(here);
    const at = { socketPath: here.socket };
    expect((await ask(at, 'GET /v2/user')).json).toMatchObject({ node: 'n1', cluster_id: CLUSTER });
    const answer = await ask(at, 'POST /v2/slurm/checkpoint/job', { job_id: '4711' });
    expect([answer.status, answer.json]).toEqual([
      404,
      { code: '404', message: expect.stringMatching(/job 4711/) },
    ]);
    expect((await ask(at, 'POST /v1/jobs/4711/start?uid=1500&gid=1500')).status).toBe(204);
    expect((await ask(at, 'POST /v1/jobs/4711/ended')).status).toBe(202);
    it.child.kill('SIGTERM');
    expect(await it.ended).toBe(0);
    expect(existsSync(here.socket)).toBe(false);
    expect(it.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  test('a second one with the same work_dir, run_dir or socket is refused, and the first goes on', async () => {
    const here = place('first');
    await using _ = await running(here);
    const shared = {
      work_dir: join(dir, 'first/work'),
      run_dir: join(dir, 'first/run'),
      socket: `{path: ${here.socket}, group: root}`,
    };
    for (const [key, message] of [
      ['work_dir', /another ckptd-engine runs with .*first\/work/],
      ['run_dir', /another ckptd-engine runs with .*first\/run/],
      ['socket', /api\.sock is in use \(a daemon answers there\)/],
    ] as const) {
      const { code, stderr } = await engine('run', '-c', place(`second-${key}`, { [key]: shared[key] }).file);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect((await ask({ socketPath: here.socket }, 'GET /v2/user')).status).toBe(200);
    }
  });

  test('after kill -9 the next one starts where it was', async () => {
    const here = place('killed');
    for (let round = 0; round < 2; round++) {
      await using it = await running(here);
      it.child.kill('SIGKILL');
      expect(await it.ended).toBeNull();
      expect(existsSync(here.socket)).toBe(true);
    }
    await using _ = await running(here);
    expect((await ask({ socketPath: here.socket }, 'GET /v2/user')).status).toBe(200);
  });

  test('a store that is not mounted is said, and does not keep it from starting', async () => {
    const here = place('unmounted', { dir: '/nowhere/ckptd' });
    await using it = await running(here);
    const { status, json } = await ask({ socketPath: here.socket }, 'GET /v2/slurm/checkpoints');
    expect([status, json]).toEqual([
      500,
      { code: '500', message: expect.stringMatching(/\/nowhere\/ckptd is not there: mount it/) },
    ]);
    expect(it.lines.some(({ msg }) => /\/nowhere\/ckptd is not there/.test(msg))).toBe(true);
  });

  test('a work_dir that others write is refused', async () => {
    const here = place('open');
    mkdirSync(join(dir, 'open/work'));
    chmodSync(join(dir, 'open/work'), 0o777);
    const { code, stderr } = await engine('run', '-c', here.file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/open\/work is writable by others: chmod 700 it/);
  });

  test('a token that others read keeps it from listening at all', async () => {
    const token = join(dir, 'token');
    writeFileSync(token, 'secret-token\n', { mode: 0o644 });
    const here = place('listening', { listen: '127.0.0.1:18043', token_file: token });
    const { code, stderr } = await engine('run', '-c', here.file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/chmod 600/);
    expect(stderr).not.toContain('secret-token');
  });
});
