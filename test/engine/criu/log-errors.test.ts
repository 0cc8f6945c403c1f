import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { criuErrors, criuErrorsIn } from '../../../daemon/engine/criu/log-errors.ts';

// dump.log of CRIU 4.1.1 on a lab node.
const LOG = `Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
Warn  (compel/arch/x86/src/lib/infect.c:418): Will restore 10083 with interrupted system call
Error (criu/namespaces.c:460): Can't dump nested uts namespace for 54
Error (criu/namespaces.c:721): Can't make utsns id
Error (criu/cr-dump.c:2111): Dumping FAILED.
`;

test('the first real errors, with their places', () => {
  expect(criuErrors(LOG)).toBe(
    "Can't dump nested uts namespace for 54 (criu/namespaces.c:460); Can't make utsns id (criu/namespaces.c:721)",
  );
});

test('a log with times, as -v4 writes it', () => {
  expect(criuErrors('(00.012345) 123: Error (criu/sk-inet.c:191): Name resolve error\n')).toBe(
    'Name resolve error (criu/sk-inet.c:191)',
  );
});

test('a harmless line is no reason', () => {
  expect(criuErrors(LOG.split('\n').slice(0, 2).join('\n'))).toBe(null);
  expect(criuErrors('')).toBe(null);
});

test('what a job puts into a file name stays text of one line, and short', () => {
  const told = criuErrors(`Error (criu/files.c:1): Can't open \x1b[31m\u202e${'x'.repeat(5_000)}\n`)!;
  expect(told).toMatch(/^Can't open \?\[31m\?x+/);
  expect(told.length).toBe(500);
});

test('the end of a long log; null for none', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'criu-log-'));
  const path = join(dir, 'dump.log');
  await writeFile(path, `${'Warn  (a): b\n'.repeat(100_000)}${LOG}`);
  expect(await criuErrorsIn(path)).toContain('nested uts namespace');
  expect(await criuErrorsIn(join(dir, 'none'))).toBe(null);
  await rm(dir, { recursive: true });
});
