import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const dir = mkdtempSync(join(tmpdir(), 'ckptd-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Runs `node daemon/ckptd.ts`, as from a checkout. */
function ckptd(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] };
    execFile(process.execPath, [join(ROOT, 'daemon/ckptd.ts'), ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

function file(text: string): string {
  const path = join(dir, `${Math.abs(text.length)}.yaml`);
  writeFileSync(path, text);
  return path;
}

const GOOD = 'cluster_id: 0b7e1d3c-5a52-4c54-9c1e-3d0d6e3f2a10\napi: {url: "unix:/run/x.sock"}\n';

test('--help tells the commands, the options and the exit statuses', async () => {
  const { code, stdout } = await ckptd('--help');
  expect(code).toBe(0);
  for (const word of ['run', 'check', '--config', '--version', '64', '78']) expect(stdout).toContain(word);
});

test('--version is that of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect((await ckptd('--version')).stdout).toBe(`ckptd ${version}\n`);
});

test('check says what a good file means', async () => {
  const { code, stdout } = await ckptd('check', '--config', file(GOOD));
  expect(code).toBe(0);
  expect(stdout).toMatch(/^OK /);
});

test('check shows all that is wrong at once, and ends with 78', async () => {
  const path = file(
    `${GOOD}heartbeat: {schedule: "61 * * * *", kindd: simple}\nrestore: {concurrency: many}\n`,
  );
  const { code, stderr } = await ckptd('check', '-c', path);
  expect(code).toBe(78);
  for (const word of ['heartbeat.schedule', 'heartbeat.kindd', 'restore.concurrency'])
    expect(stderr).toContain(word);
});

test('run with a bad or missing file ends with 78 and the same words', async () => {
  const { code, stderr } = await ckptd('run', '-c', file('cluster_id: 7\n'));
  expect(code).toBe(78);
  expect(stderr).toContain('cluster_id');
  expect((await ckptd('run', '-c', join(dir, 'nowhere.yaml'))).code).toBe(78);
});

test.each([[[]], [['fly']], [['run', 'away']], [['run', '--colour']]])(
  'wrong usage %j ends with 64 and the help',
  async (args) => {
    const { code, stderr } = await ckptd(...args);
    expect(code).toBe(64);
    expect(stderr).toContain('Usage: ckptd run');
  },
);

test('a state folder that cannot be used ends the start with a message that names it', async () => {
  const path = file(`${GOOD}state_dir: ${join(dir, 'missing')}\nsocket: {path: ${join(dir, 's')}}\n`);
  const { code, stderr } = await ckptd('run', '-c', path);
  expect(code).toBe(1);
  expect(stderr).toContain(join(dir, 'missing'));
});

const root = userInfo().uid === 0;
if (!root) console.warn('LEFT OUT: folders that are read-only, and a wrong slurm.bin; both need root');

describe.skipIf(!root)(
  'a folder that is read-only to the daemon, as outside of those that its unit names',
  () => {
    /** In a mount namespace of its own, so that nothing stays mounted. */
    function run(folder: string, text: string, env: Record<string, string> = {}) {
      const mount = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"';
      const args = ['-m', 'sh', '-c', mount, 'sh', folder, process.execPath, join(ROOT, 'daemon/ckptd.ts')];
      const path = file(text);
      return spawnSync('unshare', [...args, 'run', '-c', path], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], ...env },
      });
    }
    const locked = join(dir, 'locked');
    mkdirSync(locked);
    const open = join(dir, 'open');
    mkdirSync(open, { mode: 0o700 });

    test.each([
      { key: 'state_dir', text: `state_dir: ${locked}\nsocket: {path: ${join(open, 's')}}\n` },
      { key: 'socket.path', text: `state_dir: ${open}\nsocket: {path: ${join(locked, 's')}}\n` },
    ])('$key: ends with 78, so that systemd does not try for ever, and says what to do', ({ text }) => {
      const { status, stderr } = run(locked, `${GOOD}slurm: {node: n1}\n${text}`);
      expect(stderr).toContain('ReadWritePaths=');
      expect(status).toBe(78);
    });

    test("systemd's own folder: the disk is at fault, and may get better", () => {
      const text = `${GOOD}slurm: {node: n1}\nstate_dir: ${locked}\nsocket: {path: ${join(open, 's')}}\n`;
      expect(run(locked, text, { STATE_DIRECTORY: locked }).status).toBe(1);
    });
  },
);

test.skipIf(!root)('with a wrong slurm.bin it runs, says so in an error, and is not healthy', async () => {
  const [state, socketPath] = [join(dir, 'state'), join(dir, 'sock')];
  mkdirSync(state, { mode: 0o700 });
  const path = file(
    `${GOOD}slurm: {node: n1, bin: /nonexistent/bin}\nnotices: {providers: []}\nstate_dir: ${state}\nsocket: {path: ${socketPath}}\n`,
  );
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, [join(ROOT, 'daemon/ckptd.ts'), 'run', '-c', path], { env });
  try {
    const said = new Promise<string>((resolve, reject) => {
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.includes('is missing: no job of this node is safe')) resolve(text);
      });
      child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${text}`)));
    });
    expect(await said).toContain('set slurm.bin to the folder of squeue');
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const request = get({ socketPath, path: '/healthz' }, async (response) => {
        let body = '';
        for await (const part of response.setEncoding('utf8')) body += part;
        resolve({ status: response.statusCode, body });
      });
      request.once('error', reject);
    });
    expect(answer.status).toBe(503);
    expect(answer.body).toContain('is missing: see slurm.bin');
  } finally {
    child.kill();
    await new Promise((resolve) => child.once('close', resolve));
  }
});
