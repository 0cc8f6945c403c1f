import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

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
