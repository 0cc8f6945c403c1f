import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runDetached } from '../../../../daemon/engine/checkpoint/dump/detached.ts';
import { systemExec } from '../../../../daemon/system/process/exec.ts';
import { until } from '../../../lab/until.ts';

const DAEMON = join(import.meta.dirname, '../../../../daemon');
let [dir, said] = ['', ''];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'detached-'));
  said = join(dir, 'said');
});
afterEach(() => rm(dir, { recursive: true }));

const sh = (script: string) => ({
  kind: 'sh',
  file: '/bin/sh',
  args: ['-c', script, 'sh', join(dir, 'go')],
  timeoutMs: 60_000,
});
const says = (text: string) =>
  until(async () => (await readFile(said, 'utf8').catch(() => '')) === text, { what: text, everyMs: 5 });

test('what a command says is in the file, behind what is there, and how it ended is told', async () => {
  await writeFile(said, 'before\n');
  const exec = systemExec();
  expect(await runDetached(exec, sh('echo out; echo err >&2'), said)).toMatchObject({ ok: true });
  expect(await readFile(said, 'utf8')).toBe('before\nout\nerr\n');
  expect(await runDetached(exec, sh('cat; exit 3'), said)).toMatchObject({ why: 'exit', exitCode: 3 });
});

test('a command outlives an engine that is killed, and still says what it has to', async () => {
  execFileSync('mkfifo', [join(dir, 'go')]);
  const command = sh('echo begun; read word <"$1"; echo "$word" && echo more >&2');
  const engine = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { runDetached } from '${DAEMON}/engine/checkpoint/dump/detached.ts';
      import { systemExec } from '${DAEMON}/system/process/exec.ts';
      await runDetached(systemExec(), ${JSON.stringify(command)}, ${JSON.stringify(said)});`,
    ],
    { stdio: 'inherit' },
  );
  await says('begun\n');
  engine.kill('SIGKILL');
  await once(engine, 'exit');
  await writeFile(join(dir, 'go'), 'done\n');
  await says('begun\ndone\nmore\n');
});
