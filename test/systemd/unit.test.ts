import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { REPOSITORY } from './checkout.ts';

const unit = join(REPOSITORY, 'systemd/ckptd.service');
const found = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!found && process.env['CI']) throw new Error('CI needs systemd-analyze');
if (!found) console.warn('LEFT OUT: checks of ckptd.service by systemd; there is no systemd-analyze');

describe.skipIf(!found)('systemd', () => {
  test('understands every line', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ckptd-unit-'));
    try {
      // The programs of the unit are not installed here.
      const here = join(dir, 'ckptd.service');
      mkdirSync(join(dir, 'bin'));
      writeFileSync(join(dir, 'bin/node'), '#!/bin/sh\n', { mode: 0o755 });
      writeFileSync(
        here,
        readFileSync(unit, 'utf8').replaceAll('/usr/lib/ckptd/node', join(dir, 'bin/node')),
      );
      const { stderr, status } = spawnSync(
        'systemd-analyze',
        ['verify', '--man=no', '--recursive-errors=no', here],
        {
          encoding: 'utf8',
        },
      );
      expect(stderr.split('\n').filter((line) => line.includes('ckptd'))).toEqual([]);
      expect(status).toBe(0);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('finds it well locked in (slurmd: 9.6)', () => {
    const args = ['security', '--offline=true', '--no-pager', unit];
    const { stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    const exposure = /Overall exposure level for ckptd\.service: ([\d.]+)/.exec(stdout)?.[1];
    expect(Number(exposure)).toBeLessThanOrEqual(2.5);
  });
});

describe('the unit', () => {
  const text = readFileSync(unit, 'utf8');
  const seconds = (key: string) => Number(new RegExp(`^${key}=(\\d+)s$`, 'm').exec(text)?.[1]);

  test('leaves the daemon time for its own deadline', () =>
    expect(seconds('TimeoutStopSec')).toBeGreaterThan(20));

  test('does not stop with slurmd or munge', () => {
    expect(text).not.toMatch(/^(?:Requires|BindsTo|PartOf|Requisite)=/m);
  });

  test('keeps a notice that was given as a file over a stop', () => {
    expect(text).toMatch(/^RuntimeDirectoryPreserve=yes$/m);
  });

  test('does not start again with a configuration that is wrong', () => {
    expect(text).toMatch(/^RestartPreventExitStatus=78$/m);
  });
});
