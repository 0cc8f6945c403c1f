import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { followLines } from '../../../daemon/system/process/follow-lines.ts';
import { until } from '../../lab/until.ts';

function follow(script: string, signal = new AbortController().signal) {
  const lines: string[] = [];
  const program = { file: '/bin/sh', args: ['-c', script] };
  return { lines, ended: followLines(program, (line) => lines.push(line), signal) };
}

test('each line comes as it is printed, also in pieces', async () => {
  const { lines, ended } = follow(`printf 'a\\nb'; printf 'c\\n\\n'; printf 'no end'`);
  expect(await ended).toBe('/bin/sh exited with 0');
  expect(lines).toEqual(['a', 'bc', '']);
});

test('it says how the program ended, and what it said', async () => {
  expect(await follow('echo "no bus" >&2; exit 3').ended).toBe('/bin/sh exited with 3: no bus');
  expect(await follow('kill -9 $$').ended).toBe('/bin/sh was ended by SIGKILL');
  const missing = await followLines({ file: '/nowhere/x', args: [] }, () => {}, AbortSignal.timeout(60_000));
  expect(missing).toContain('/nowhere/x could not be started');
});

test('text without end is not kept', async () => {
  const { lines, ended } = follow(`head -c 1000000 /dev/zero | tr '\\0' x; echo; echo short`);
  await ended;
  expect(lines.at(-1)).toBe('short');
  expect(lines.join('').length).toBeLessThan(100_000);
});

test('nothing of this process’ environment reaches it', async () => {
  process.env['CKPTD_TEST_SECRET'] = 'x';
  const { lines, ended } = follow('env');
  await ended;
  delete process.env['CKPTD_TEST_SECRET'];
  expect(lines.some((line) => line.includes('SECRET'))).toBe(false);
  expect(lines).toContain('LC_ALL=C');
});

test('the signal ends it and what it started, also where SIGTERM is ignored', async () => {
  const stop = new AbortController();
  const { lines, ended } = follow(
    `trap '' TERM; sh -c "trap '' TERM; echo \\$\\$; sleep 1000" & echo $$; wait`,
    stop.signal,
  );
  await until(() => lines.length === 2, { what: 'both processes' });
  stop.abort();
  expect(await ended).toBe('/bin/sh was ended by SIGKILL');
  for (const pid of lines) await until(() => !existsSync(`/proc/${pid}`), { what: `the end of ${pid}` });
});

test('what it leaves behind does not keep it from ending', async () => {
  const { lines, ended } = follow('sleep 1000 & echo $!');
  expect(await ended).toBe('/bin/sh exited with 0');
  await until(() => !existsSync(`/proc/${lines[0]}`), { what: 'the end of what was left' });
});

test('one that is not wanted any more is not started', async () => {
  const { lines, ended } = follow('echo x', AbortSignal.abort());
  expect(await ended).toBe('/bin/sh was not started');
  expect(lines).toEqual([]);
});
