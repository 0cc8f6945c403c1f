import { execFile } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startLineChild } from '../../../daemon/system/process/line-child.ts';
import { until } from '../../lab/until.ts';

const run = promisify(execFile);
const ECHO = 'read name; while read -r line; do echo "$name: $line"; done';
const LONG_MS = 60_000;

const start = (script: string) => {
  const child = startLineChild({ file: '/bin/sh', args: ['-c', script] });
  child.tell('hello');
  return child;
};

const isGone = (pid: number) => {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
};
const gone = (pid: number) => until(() => isGone(pid), { what: `process ${pid} to be gone` });

/** A program that answers with its pid, and then does something else. */
async function started(then: string) {
  const child = start(`read _; read _; echo $$; ${then}`);
  const answer = await child.ask('who', LONG_MS);
  return { child, pid: answer.ok ? Number(answer.line) : 0 };
}

test('each line is answered by one and the same process, also a long one', async () => {
  using child = start(ECHO);
  expect(child.isFree).toBe(true);
  expect(await child.ask('a', LONG_MS)).toEqual({ ok: true, line: 'hello: a' });
  const long = 'x'.repeat(300_000);
  const answer = child.ask(long, LONG_MS);
  expect(child.isFree).toBe(false);
  expect(await answer).toEqual({ ok: true, line: `hello: ${long}` });
  expect(child.isFree).toBe(true);
});

test('it ends with its input', async () => {
  const { child, pid } = await started('cat');
  expect(isGone(pid)).toBe(false);
  child[Symbol.dispose]();
  expect(child.isFree).toBe(false);
  await gone(pid);
});

test('one that is stopped, or that its end does not end, is killed', async () => {
  const { child, pid } = await started('kill -STOP $$');
  child[Symbol.dispose]();
  await gone(pid);
  const other = await started('while :; do read _; done');
  other.child[Symbol.dispose]();
  await gone(other.pid);
});

test('what is under way is done before it ends', async () => {
  const child = start(ECHO);
  const answer = child.ask('last', LONG_MS);
  child[Symbol.dispose]();
  expect(await answer).toEqual({ ok: true, line: 'hello: last' });
});

test('how it ended, and what it said, is the answer', async () => {
  using child = start('read _; read _; echo "no rights" >&2; exit 3');
  const told = { ok: false, message: '/bin/sh exited with 3: no rights' };
  expect(await child.ask('a', LONG_MS)).toEqual(told);
  expect(child.isFree).toBe(false);
  expect(await child.ask('b', LONG_MS)).toEqual(told);
  using missing = startLineChild({ file: '/nowhere/x', args: [] });
  expect(await missing.ask('a', LONG_MS)).toMatchObject({
    ok: false,
    message: expect.stringContaining('/nowhere/x could not be started'),
  });
});

test('one that does not answer is killed', async () => {
  const { child, pid } = await started('cat >/dev/null');
  expect(await child.ask('a', 20)).toEqual({ ok: false, message: '/bin/sh took longer than 20 ms' });
  await gone(pid);
});

test('so is one that speaks unasked, or has no end of it', async () => {
  const { child, pid } = await started('read -r _; echo a; echo more; cat');
  await child.ask('a', LONG_MS);
  await gone(pid);
  expect(child.isFree).toBe(false);
  using talker = start('head -c 3000000 /dev/zero | tr "\\0" x; cat');
  expect(await talker.ask('a', LONG_MS)).toMatchObject({
    message: '/bin/sh says more than it was asked for',
  });
});

test('it inherits no environment, and nothing that this process has open', async () => {
  const open = openSync('/etc/passwd', 'r');
  process.env['CKPTD_TEST_SECRET'] = 'x';
  const { child, pid } = await started('cat');
  delete process.env['CKPTD_TEST_SECRET'];
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  closeSync(open);
  expect(links).not.toContain('/etc/passwd');
  // Its own three.
  expect(links.filter((link) => link.startsWith('socket:')).length).toBe(3);
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('SECRET');
  child[Symbol.dispose]();
});

test('where no descriptor is left it could not be started, and nothing is thrown', async () => {
  const script = `
    const { openSync } = await import('node:fs');
    const { startLineChild } = await import(${JSON.stringify(join(import.meta.dirname, '../../../daemon/system/process/line-child.ts'))});
    startLineChild({ file: '/bin/true', args: [] })[Symbol.dispose]();
    try { for (;;) openSync('/dev/null'); } catch {}
    using child = startLineChild({ file: '/bin/cat', args: [] });
    child.tell('hello');
    console.log(JSON.stringify([child.isFree, await child.ask('a', 1000)]));`;
  const { stdout } = await run('sh', [
    '-c',
    'ulimit -n 60; exec "$0" --input-type=module -e "$1"',
    process.execPath,
    script,
  ]);
  expect(JSON.parse(stdout)).toEqual([
    false,
    { ok: false, message: expect.stringMatching(/cat could not be started: /) },
  ]);
});
