import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { probeCheckout, REPOSITORY } from './checkout.ts';

let checkout: Awaited<ReturnType<typeof probeCheckout>>;
let root: string;
beforeAll(async () => {
  checkout = await probeCheckout();
});
afterAll(() => checkout[Symbol.dispose]());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckptd-root-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function script(name: 'install' | 'uninstall', ...args: string[]) {
  return spawnSync(join(checkout.path, 'systemd', name), args, { encoding: 'utf8' });
}
function run(name: 'install' | 'uninstall', ...args: string[]): string {
  const { status, stdout, stderr } = script(name, '--root', root, ...args);
  expect(status, stderr).toBe(0);
  return stdout;
}
const files = () =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => !statSync(join(root, name)).isDirectory())
    .sort();
const mode = (path: string) => (statSync(join(root, path)).mode & 0o7777).toString(8);

test('installs a program that runs, its hooks, its unit and examples', () => {
  expect(run('install')).toContain('systemctl enable --now ckptd');
  expect(files()).toEqual(
    expect.arrayContaining([
      'etc/ckptd/ckptd-cedana.yaml.example',
      'etc/ckptd/ckptd-engine.yaml.example',
      'etc/ckptd/ckptd.yaml',
      'etc/ckptd/ckptd.yaml.example',
      'etc/ckptd/logind.conf.example',
      'usr/bin/ckptd',
      'usr/lib/ckptd/ckptd.mjs',
      'usr/lib/ckptd/ckptd.mjs.LEGAL.txt',
      'usr/lib/ckptd/ckptd.mjs.map',
      'usr/lib/ckptd/hooks/epilog',
      'usr/lib/ckptd/hooks/prolog',
      'usr/lib/ckptd/node',
      'usr/lib/systemd/system/ckptd-engine.service',
      'usr/lib/systemd/system/ckptd.service',
    ]),
  );
  expect(files().filter((name) => name.endsWith('.new'))).toEqual([]);
  for (const path of ['node', 'hooks/prolog']) expect(mode(`usr/lib/ckptd/${path}`)).toBe('755');
  expect(readlinkSync(join(root, 'usr/lib/ckptd/hooks/epilog'))).toBe('prolog');
  const { stdout } = spawnSync(join(root, 'usr/lib/ckptd/node'), ['-p', 'process.versions.node'], {
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/^24\./);
});

test('elsewhere, the unit and the commands know where', () => {
  run('install', '--prefix', '/opt/ckptd');
  const unit = readFileSync(join(root, 'usr/lib/systemd/system/ckptd.service'), 'utf8');
  expect(unit).toContain('ExecStart=/opt/ckptd/node');
  expect(unit).toContain('/opt/ckptd/ckptd.mjs run --config /etc/ckptd/ckptd.yaml');
  expect(unit).not.toContain('/usr/lib/ckptd');
  expect(readFileSync(join(root, 'usr/bin/ckptd'), 'utf8')).toContain(
    'exec /opt/ckptd/node /opt/ckptd/ckptd.mjs "$@"',
  );
  expect(readFileSync(join(root, 'etc/ckptd/ckptd-engine.yaml.example'), 'utf8')).toContain(
    '#helper: /opt/ckptd/ckptd-criu',
  );
  run('uninstall', '--prefix', '/opt/ckptd');
  expect(existsSync(join(root, 'opt/ckptd'))).toBe(false);
});

describe('what is to be done next', () => {
  test('without the engine: its file, the hooks, one unit', () => {
    const said = run('install');
    expect(said).toContain('ckptd check --config /etc/ckptd/ckptd.yaml');
    expect(said).toMatch(/systemctl enable --now ckptd\n.*systemctl try-restart ckptd\n/);
    expect(said).not.toContain('engine');
  });

  test('with it: both files, and both units, whose programs an upgrade replaces together', () => {
    const engine = join(checkout.path, 'dist/ckptd-engine.mjs');
    writeFileSync(engine, '');
    try {
      const said = run('install');
      expect(said).toContain('cp /etc/ckptd/ckptd-engine.yaml.example /etc/ckptd/engine.yaml');
      expect(said).toContain('cp /etc/ckptd/ckptd.yaml.example /etc/ckptd/ckptd.yaml');
      expect(said).toContain('ckptd-engine check --config /etc/ckptd/engine.yaml');
      expect(said).toMatch(
        /enable --now ckptd-engine ckptd .*\n.*systemctl try-restart ckptd-engine ckptd\n/,
      );
      expect(said).toContain('Or with Cedana: set cluster_id');
    } finally {
      rmSync(engine);
    }
  });
});

test('ckptctl, which there is none of, is named nowhere', () => {
  const grep = spawnSync(
    'grep',
    ['-rl', 'ckptctl', ...['systemd', 'config', 'daemon', 'hooks'].map((f) => join(REPOSITORY, f))],
    { encoding: 'utf8' },
  );
  expect(grep.stdout).toBe('');
});

test('an upgrade replaces every file by another, and leaves the configuration', () => {
  run('install');
  const before = statSync(join(root, 'usr/lib/ckptd/node')).ino;
  writeFileSync(join(root, 'etc/ckptd/ckptd.yaml'), 'mine');
  run('install');
  expect(statSync(join(root, 'usr/lib/ckptd/node')).ino).not.toBe(before);
  expect(readFileSync(join(root, 'etc/ckptd/ckptd.yaml'), 'utf8')).toBe('mine');
});

test('uninstalling leaves what the admin and the daemon wrote, and nothing else', () => {
  run('install');
  writeFileSync(join(root, 'etc/ckptd/token'), 'secret');
  run('uninstall');
  expect(files()).toEqual(['etc/ckptd/ckptd.yaml', 'etc/ckptd/token']);
  run('uninstall');
});

describe('is refused', () => {
  test.each([
    [['--prefix', 'relative']],
    [['--prefix', '/a b']],
    [['--prefix', '/a|b']],
    [['--prefix']],
    [['--unknown']],
  ])('%j', (args) => {
    const { status, stderr } = script('install', '--root', root, ...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^install: /);
    expect(files()).toEqual([]);
  });
});

const shellcheck = spawnSync('shellcheck', ['--version']).status === 0;
if (!shellcheck && process.env['CI']) throw new Error('CI needs shellcheck');
if (!shellcheck) console.warn('LEFT OUT: shellcheck of systemd/install and uninstall; it is not installed');
test.skipIf(!shellcheck)('shellcheck finds nothing', () => {
  const scripts = ['install', 'uninstall'].map((name) => join(REPOSITORY, 'systemd', name));
  const { stdout, status } = spawnSync('shellcheck', ['-s', 'sh', ...scripts], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
