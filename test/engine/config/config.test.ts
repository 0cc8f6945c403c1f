import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkEngineConfig } from '../../../daemon/engine/config/check.ts';
import { config, NEEDED, problems } from './support.ts';

test('two keys are enough', () => {
  expect(config(NEEDED)).toEqual({
    clusterId: '0b7e6f1a-52b8-4a3c-9d5e-6f7a8b9c0d1e',
    dir: '/shared/ckptd',
    keep: 3,
    criu: '/usr/sbin/criu',
    scratch: [],
    compress: 'zstd',
    socket: { path: '/run/ckptd-engine/api.sock', mode: 0o600, group: 'root' },
    listen: null,
    tokenFile: null,
    slurm: { node: 'n1', bin: '/usr/bin', conf: '/etc/slurm/slurm.conf' },
    policies: '/etc/ckptd/ckptd.yaml',
    workDir: '/var/lib/ckptd-engine',
    runDir: '/run/ckptd-engine',
    helper: '/usr/lib/ckptd/ckptd-criu',
    asOwner: '/usr/lib/ckptd/ckptd-as-owner.mjs',
    log: { level: 'info' },
  });
});

test.each([
  ['installed elsewhere, beside the program', '/opt/ckptd/ckptd-as-owner.mjs', '/opt/ckptd/ckptd-criu'],
  [
    'in a checkout, the installed one',
    '/src/daemon/engine/owner/program/main.ts',
    '/usr/lib/ckptd/ckptd-criu',
  ],
])('ckptd-criu is, %s', (_, asOwner, helper) => {
  expect(config(NEEDED, 'n1', asOwner).helper).toBe(helper);
  expect(config(`${NEEDED}helper: /opt/helper\n`, 'n1', asOwner).helper).toBe('/opt/helper');
});

test('all keys', () => {
  const all = config(`cluster_id: 0b7e6f1a-52b8-4a3c-9d5e-6f7a8b9c0d1e
dir: /shared//ckptd/
keep: 1
criu: /opt/criu
scratch: [/local/, /scratch/%j]
compress: none
socket: {path: /run/e.sock, mode: "0660", group: hpc}
listen: "[::1]:8043"
token_file: /etc/token
slurm: {node: other, bin: /opt/slurm/bin, conf: /opt/slurm.conf}
policies: /etc/p.yaml
work_dir: /var/w
run_dir: /run/r
helper: /opt/helper
log: {level: debug}
`);
  expect(all).toMatchObject({
    dir: '/shared/ckptd',
    keep: 1,
    scratch: ['/local', '/scratch/%j'],
    compress: 'none',
    socket: { path: '/run/e.sock', mode: 0o660, group: 'hpc' },
    listen: { host: '::1', port: 8043 },
    tokenFile: '/etc/token',
    slurm: { node: 'other', bin: '/opt/slurm/bin', conf: '/opt/slurm.conf' },
    workDir: '/var/w',
    runDir: '/run/r',
  });
});

test('everything that is wrong is told at once, with its place', () => {
  expect(
    problems(`cluster_id: 7
dri: /shared
keep: 0
scratch: [tmp, /, /a/../b]
compress: gzip
listen: nowhere
socket: {mode: 0600}
`),
  ).toEqual([
    'engine.yaml:1:1: dir: is missing',
    'engine.yaml:1:13: cluster_id: must be a UUID, not the number 7: put it in quotes',
    'engine.yaml:2:1: dri: unknown key; did you mean dir?',
    'engine.yaml:3:7: keep: must be a whole number from 1 to 100, not the number 0',
    'engine.yaml:4:11: scratch[0]: must be an absolute path',
    'engine.yaml:4:16: scratch[1]: must be a folder, not the root of all',
    'engine.yaml:4:19: scratch[2]: must not hold ..',
    'engine.yaml:5:11: compress: must be one of zstd, none, not "gzip"',
    'engine.yaml:6:9: listen: must be host:port such as 127.0.0.1:8043',
    'engine.yaml:7:16: socket.mode: must be octal digits in quotes, such as "0600", not the number 600: put it in quotes',
  ]);
});

test.each([
  ['', ['engine.yaml:1:1: cluster_id: is missing', 'engine.yaml:1:1: dir: is missing']],
  ['{', [expect.stringMatching(/^engine\.yaml:1:\d+: /)]],
  [
    `${NEEDED}listen: 127.0.0.1:80`,
    ['engine.yaml:3:9: listen: needs token_file: whoever reaches the port can move jobs'],
  ],
  [
    `${NEEDED}listen: "host:0"\ntoken_file: /t`,
    ['engine.yaml:3:9: listen: has a port that is not between 1 and 65535'],
  ],
  [`${NEEDED}listen: "[host]:1"\ntoken_file: /t`, [expect.stringMatching(/something else than an IPv6/)]],
  [`${NEEDED}listen: "-x:1"\ntoken_file: /t`, [expect.stringMatching(/neither a name nor an address/)]],
  [
    `${NEEDED}work_dir: /shared/ckptd/work`,
    [expect.stringMatching(/:3:11: work_dir: and dir must not lie in one another/)],
  ],
  [`${NEEDED}work_dir: /shared`, [expect.stringMatching(/work_dir/)]],
  [`${NEEDED}work_dir: /shared/ckptd-work`, []],
  [`${NEEDED}socket: {mode: "0666"}`, [expect.stringMatching(/must not let everybody write/)]],
])('%j: %j', (text, expected) => {
  expect(problems(text)).toEqual(expected);
});

test('a host name that is no node name needs slurm.node', () => {
  expect(problems(NEEDED, '-bad')).toEqual([
    'engine.yaml:1:1: slurm.node: is missing, and the host name is no node name',
  ]);
  expect(config(`${NEEDED}slurm: {node: n7}`, '-bad').slurm.node).toBe('n7');
});

test('check tells what a file means, or all that is wrong with it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ckptd-engine-config-'));
  const file = join(folder, 'engine.yaml');
  const sources = { file, hostname: 'n1', asOwner: '/x' };
  try {
    writeFileSync(file, `${NEEDED}listen: "[::]:8043"\ntoken_file: /etc/t\nscratch: [/local]\n`);
    expect(checkEngineConfig(sources)).toEqual({
      ok: true,
      text: `OK ${file}
  node       n1 of cluster 0b7e6f1a-52b8-4a3c-9d5e-6f7a8b9c0d1e
  store      /shared/ckptd, 3 of each job, with zstd
  criu       /usr/sbin/criu
  scratch    /local
  api        unix:/run/ckptd-engine/api.sock, and [::]:8043 with the token in /etc/t`,
    });
    writeFileSync(file, 'dir: /shared\n');
    expect(checkEngineConfig(sources)).toEqual({ ok: false, text: `${file}:1:1: cluster_id: is missing` });
    expect(checkEngineConfig({ ...sources, file: join(folder, 'none') }).text).toMatch(
      /cannot be read: ENOENT/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
