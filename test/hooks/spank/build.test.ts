import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { slurmRelease } from '../../../systemd/native.ts';
import { make, run, scratch } from '../native.ts';
import { HOOKS } from '../support.ts';
import { SLURM_OF, type Suite, slurmHeaders } from './slurm-headers.ts';

const isRoot = process.getuid?.() === 0;
const HARDENED = ['relro', 'bind-now', 'no executable stack', 'stack protector', 'fortified'] as const;

/** What of the hardening is really in a file. */
function hardening(file: string): string[] {
  const elf = run('readelf', ['--wide', '--dynamic', '--segments', '--dyn-syms', file]);
  const found: Record<(typeof HARDENED)[number], boolean> = {
    relro: /GNU_RELRO/.test(elf),
    'bind-now': /\bBIND_NOW\b|FLAGS_1.*\bNOW\b/.test(elf),
    'no executable stack': /GNU_STACK .* RW +0x/.test(elf),
    'stack protector': /__stack_chk_fail/.test(elf),
    fortified: /__\w+_chk@/.test(elf.replaceAll('__stack_chk_fail', '')),
  };
  return HARDENED.filter((name) => found[name]);
}

describe.skipIf(!isRoot && !process.env['CI'])('the plugin', { timeout: 300_000 }, () => {
  test.each(Object.entries(SLURM_OF))("builds against %s's Slurm %s", async (suite, release) => {
    const include = await slurmHeaders(suite as Suite);
    expect(slurmRelease(include)).toMatch(new RegExp(`^${release.replace('.', '\\.')}\\.`));
    using out = scratch();
    make('spank', { OUT: out.path, SLURM_INCLUDE: include });
    const plugin = join(out.path, 'ckptd_spank.so');

    const exported = run('nm', ['--dynamic', '--defined-only', '--format=posix', plugin])
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]!);
    expect(exported.filter((name) => !/^slurm_spank_/.test(name)).sort()).toEqual([
      'plugin_name',
      'plugin_type',
      'plugin_version',
      'spank_plugin_version',
    ]);
    expect(exported).toContain('slurm_spank_task_init_privileged');

    const needed = run('readelf', ['--dynamic', plugin]).match(/(?<=Shared library: \[)[^\]]+/g);
    expect(needed).toEqual(['libc.so.6']);
    expect(hardening(plugin)).toEqual(HARDENED);
  });

  test('takes from the program that loads it only what SPANK promises', async () => {
    const include = await slurmHeaders('trixie');
    using out = scratch();
    make('spank', { OUT: out.path, SLURM_INCLUDE: include });
    const wanted = run('nm', [
      '--dynamic',
      '--undefined-only',
      '--format=posix',
      join(out.path, 'ckptd_spank.so'),
    ])
      .split('\n')
      .map((line) => line.split(' ')[0]!)
      .filter((name) => /^(slurm|spank)/.test(name));
    const promised = readFileSync(join(include, 'slurm/spank.h'), 'utf8');
    expect(wanted.length).toBeGreaterThan(3);
    for (const name of wanted) expect(promised).toMatch(new RegExp(`\\b${name}\\s*\\(`));
  });
});

test('ckptd-criu builds, hardened and position-independent, and alone', () => {
  using out = scratch();
  make('criu', { OUT: out.path });
  const program = join(out.path, 'ckptd-criu');
  expect(hardening(program)).toEqual(HARDENED);
  expect(readdirSync(out.path)).toEqual(['ckptd-criu']);
  expect(run('readelf', ['--file-header', program])).toMatch(/Type:\s+DYN/);
});

test('every source of a folder is built, and nothing else is', () => {
  for (const folder of ['criu', 'spank']) {
    const makefile = readFileSync(join(HOOKS, folder, 'Makefile'), 'utf8').replaceAll('\\\n', ' ');
    const lists = [...makefile.matchAll(/^SOURCES := (.*)$/gm)].map(([, names]) => names!);
    const listed = [...new Set(lists.flatMap((names) => names.split(/\s+/).filter(Boolean)))];
    const there = readdirSync(join(HOOKS, folder)).filter((name) => name.endsWith('.c'));
    expect(listed.toSorted()).toEqual(there.toSorted());
  }
});
