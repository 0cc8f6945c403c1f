import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildNative, slurmRelease } from '../../systemd/native.ts';
import { scratch } from '../hooks/native.ts';
import { slurmHeaders } from '../hooks/spank/slurm-headers.ts';
import { REPOSITORY } from './checkout.ts';

const isRoot = process.getuid?.() === 0;

test("where Slurm's headers are missing, the helper is built, and what to install is said", () => {
  using out = scratch();
  const { built, left } = buildNative(out.path, join(out.path, 'nowhere'));
  expect(built).toEqual(['ckptd-criu']);
  expect(left).toEqual([
    expect.stringMatching(/^ckptd_spank\.so: no .*spank\.h here \(Debian: apt install libslurm-dev/),
  ]);
  expect(existsSync(join(out.path, 'ckptd-criu'))).toBe(true);
  expect(existsSync(join(out.path, 'ckptd_spank.so'))).toBe(false);
});

test.skipIf(!isRoot && !process.env['CI'])(
  'with them both are built, installed, named in what is to be done next, and uninstalled',
  { timeout: 180_000 },
  async () => {
    using checkout = scratch();
    const path = (name: string) => join(checkout.path, name);
    for (const folder of ['systemd', 'hooks', 'config'])
      cpSync(join(REPOSITORY, folder), path(folder), { recursive: true, verbatimSymlinks: true });
    mkdirSync(path('node_modules/node/bin'), { recursive: true });
    writeFileSync(path('node_modules/node/bin/node'), '', { mode: 0o755 });
    mkdirSync(path('dist'));
    writeFileSync(path('dist/ckptd.mjs'), '');
    const script = (name: string, ...more: string[]) => {
      const args = ['--root', path('root'), ...more];
      const { status, stdout, stderr } = spawnSync(path(`systemd/${name}`), args, { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return stdout;
    };
    expect(script('install')).toContain('slurm.conf:  Prolog=/usr/lib/ckptd/hooks/prolog');

    const include = await slurmHeaders('trixie');
    expect(buildNative(path('dist'), include)).toEqual({
      built: ['ckptd-criu', 'ckptd_spank.so'],
      left: [],
    });
    expect(slurmRelease(include)).toMatch(/^24\.11\.\d+$/);
    const said = script('install', '--prefix', '/opt/ckptd');
    expect(said).toContain(
      'optional /opt/ckptd/ckptd_spank.so socket=/run/ckptd-engine/api.sock hooks=/opt/ckptd/hooks',
    );
    expect(said).not.toContain('Prolog=');
    for (const [name, mode] of [
      ['ckptd-criu', 0o755],
      ['ckptd_spank.so', 0o644],
    ] as const) {
      const installed = path(`root/opt/ckptd/${name}`);
      expect(statSync(installed).mode & 0o7777).toBe(mode);
      expect(readFileSync(installed).equals(readFileSync(path(`dist/${name}`)))).toBe(true);
    }
    script('uninstall', '--prefix', '/opt/ckptd');
    expect(existsSync(path('root/opt/ckptd'))).toBe(false);
  },
);

test('a compiler that fails is an error with its words, not a plugin that is missing', () => {
  using headers = scratch();
  mkdirSync(join(headers.path, 'slurm'));
  writeFileSync(join(headers.path, 'slurm/spank.h'), '#error not these\n');
  using out = scratch();
  expect(() => buildNative(out.path, headers.path)).toThrow(/make .* failed\n[\s\S]*not these/);
  rmSync(headers.path, { recursive: true });
  expect(slurmRelease(headers.path)).toBeNull();
});
