import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY } from './checkout.ts';

const text = readFileSync(join(REPOSITORY, 'systemd/ckptd-engine.service'), 'utf8');
/** Of every line that sets the key. */
const values = (key: string) =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map((match) => match[1]);
const found = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!found && process.env['CI']) throw new Error('CI needs systemd-analyze');
if (!found) console.warn('LEFT OUT: a check of ckptd-engine.service by systemd; there is no systemd-analyze');

test.skipIf(!found)('systemd understands every line', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ckptd-unit-'));
  try {
    // The programs of the unit are not installed here.
    const here = join(dir, 'ckptd-engine.service');
    mkdirSync(join(dir, 'bin'));
    writeFileSync(join(dir, 'bin/node'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(here, text.replaceAll('/usr/lib/ckptd/node', join(dir, 'bin/node')));
    const args = ['verify', '--man=no', '--recursive-errors=no', here];
    const { stderr, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('ckptd'))).toEqual([]);
    expect(status).toBe(0);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('its capabilities are those that have a reason beside them', () => {
  const bounded = values('CapabilityBoundingSet').flatMap((line) => line?.split(' ') ?? []);
  const reasons = [...text.matchAll(/^# {3}((?:[A-Z_]+ )+) /gm)].flatMap(
    (match) => match[1]?.trim().split(' ') ?? [],
  );
  expect(bounded.sort()).toEqual(reasons.map((name) => `CAP_${name}`).sort());
});

test('nothing in it puts CRIU into a mount namespace, or under a seccomp filter', () => {
  const keys = [...text.matchAll(/^([A-Za-z]+)=/gm)].map((match) => match[1]);
  // systemd.exec(5): each of these makes a mount namespace or a filter for the unit, or sets no_new_privs.
  const harmful =
    /^(Protect|Private|Restrict|SystemCall|ReadOnly|ReadWrite|Inaccessible|NoExec|ExecPaths|Temporary|Bind|Mount|Root|LockPers|MemoryDeny|NoNewPriv|DynamicUser|ProcSubset|LoadCred|SetCred|Log(Namespace|Filter))/;
  expect(keys.filter((key) => harmful.test(key ?? ''))).toEqual([]);
  expect(values('Delegate')).toEqual([]);
});

test('a criu that is under way outlives the engine, and what it marked outlives it too', () => {
  expect(values('KillMode')).toEqual(['process']);
  expect(values('RuntimeDirectoryPreserve')).toEqual(['yes']);
  expect(values('RestartPreventExitStatus')).toEqual(['78']);
  expect(text).not.toMatch(/^(?:Requires|BindsTo|PartOf|Requisite)=/m);
});

test('it leaves the engine time for its own deadline', () => {
  const main = readFileSync(join(REPOSITORY, 'daemon/engine/ckptd-engine.ts'), 'utf8');
  const own = Number(/STOP_WITHIN_MS = ([\d_]+);/.exec(main)?.[1]?.replaceAll('_', ''));
  const systemd = Number(values('TimeoutStopSec')[0]?.replace(/s$/, '')) * 1000;
  expect(own).toBeGreaterThan(0);
  expect(systemd).toBeGreaterThan(own);
});
