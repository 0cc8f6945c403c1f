import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkConfig } from '../../daemon/config/check.ts';
import { loadConfig } from '../../daemon/config/load.ts';
import { ConfigError } from '../../daemon/config/problem.ts';
import { CLUSTER_ID, COMPLETE } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'ckptd-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function written(content: string | Uint8Array): string {
  const file = join(folder, 'ckptd.yaml');
  writeFileSync(file, content);
  return file;
}

/** A folder with all of Slurm's programs. */
function slurmBin(...missing: string[]): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  for (const name of ['squeue', 'scontrol', 'sinfo', 'scancel']) {
    if (!missing.includes(name)) writeFileSync(join(bin, name), '', { mode: 0o755 });
  }
  return bin;
}

test('a wrong slurm.bin is a warning: the file may be for another machine', () => {
  const bin = slurmBin('squeue', 'sinfo');
  const file = written(`slurm: {bin: ${bin}}`);
  const { ok, text } = checkConfig({ file, env: COMPLETE, hostname: 'n1' });
  expect(ok).toBe(true);
  expect(text.split('\n').at(-1)).toBe(
    `WARNING slurm.bin: ${bin} has no squeue, sinfo; on the node no job would be saved`,
  );
});

test('folders that the unit keeps read-only are a warning each', () => {
  const file = written(
    `slurm: {bin: ${slurmBin()}}\nstate_dir: /var/lib/ckptd2\nsocket: {path: /srv/ckptd.sock}\n`,
  );
  const { text } = checkConfig({ file, env: COMPLETE, hostname: 'n1' });
  expect(text.split('\n').slice(-2)).toEqual([
    'WARNING state_dir: outside of /var/lib/ckptd it needs ReadWritePaths= in a drop-in of ckptd.service',
    'WARNING socket.path: outside of /run/ckptd it needs ReadWritePaths= in a drop-in of ckptd.service',
  ]);
});

test('a good file is told in words', () => {
  const file = written(`
slurm: {bin: ${slurmBin()}}
api: {url: unix:/run/ckptd-engine/api.sock}
policies:
  - {match: {partition: spot*, user: ann}, resume: false, heartbeat: {every: 5m, kind: rootfs}}
  - {match: {}, enabled: false}
`);
  expect(checkConfig({ file, env: COMPLETE, hostname: 'n1' })).toEqual({
    ok: true,
    text: `OK ${file}
  node       n1 of cluster ${CLUSTER_ID}
  api        unix:/run/ckptd-engine/api.sock
  heartbeat  "*/15 * * * *", spread over 5m, simple, jobs older than 2m, 2 at once
  policy 1   partition spot*, user ann: every 5m, spread over 5m, rootfs, jobs older than 2m, anew after a requeue
  policy 2   every job: left alone
  restore    on drain and termination, after a final checkpoint; the old job is left to Slurm
  notices    auto`,
  });
});

test.each([
  ['api: {token_file: /etc/ckptd/token}', {}, 'token in /etc/ckptd/token'],
  ['', { CEDANA_AUTH_TOKEN: 'hunter2' }, 'token in CEDANA_AUTH_TOKEN'],
  ['', {}, 'token from the systemd credential'],
])('with %j and %j it says: %s', (text, env, where) => {
  const file = written(text);
  const { text: told } = checkConfig({ file, env: { ...COMPLETE, ...env }, hostname: 'n1' });
  expect(told).toContain(`  api        https://cedana.example.com, ${where}\n`);
});

test('a bad file is told by its problems', () => {
  const file = written('lgo: {}\n');
  expect(checkConfig({ file, env: COMPLETE, hostname: 'n1' })).toEqual({
    ok: false,
    text: `${file}:1:1: lgo: unknown key; did you mean log?`,
  });
});

test.each([
  ['nothing', () => join(folder, 'absent'), /: cannot be read: ENOENT/],
  ['a folder', () => folder, /: cannot be read: EISDIR/],
  ['an endless file', () => '/dev/zero', /: is longer than 128 KiB$/],
  ['Latin-1', () => written(Uint8Array.of(0x6c, 0x3a, 0x20, 0xe4)), /: is not UTF-8 text$/],
])('%s is a ConfigError', (_, place, message) => {
  const load = () => loadConfig({ file: place(), env: COMPLETE, hostname: 'n1' });
  expect(load).toThrow(ConfigError);
  expect(load).toThrow(message);
});

test('a byte order mark does no harm', () => {
  const file = written('\ufefflog: {level: debug}');
  expect(loadConfig({ file, env: COMPLETE, hostname: 'n1' }).log.level).toBe('debug');
});
