import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { make, scratch } from '../native.ts';

const isRoot = process.getuid?.() === 0;
const build = scratch();
afterAll(() => build[Symbol.dispose]());

/** What a stand-in for CRIU does in the job's new namespaces, guarded; `helper` is the real ckptd-criu. */
async function guarded(
  folder: string,
  guards: readonly string[],
  criu: (helper: string) => string,
): Promise<string> {
  make('criu', { OUT: build.path });
  const helper = join(build.path, 'ckptd-criu');
  chmodSync(build.path, 0o755);
  const socket = join(folder, 'engine.sock');
  const engine = createServer((_, reply) => reply.end('ok\n')).listen(socket);
  await once(engine, 'listening');
  const [script, said] = [join(folder, 'criu'), join(folder, 'said')];
  writeFileSync(script, `#!/bin/sh\nexec >${said} 2>&1\n${criu(helper)}\n`, { mode: 0o755 });
  const files = ['--pidfile', join(folder, 'pid'), '--log', join(folder, 'log')];
  const init = [helper, 'init', '--uid', '0', '--gid', '0', ...files];
  const args = [
    '--pid',
    '--fork',
    '--mount',
    ...init,
    ...guards.flatMap((each) => ['--guard', each]),
    '--',
    script,
  ];
  const child: ChildProcess = spawn('unshare', args, {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { PATH: '/usr/bin:/bin', CKPTD_SOCKET: socket, CKPTD_JOB: '7' },
  });
  await once(child, 'exit');
  engine.close();
  return readFileSync(said, 'utf8');
}

test.runIf(isRoot)(
  'a link that its owner laid is not followed, until all is restored and looked at',
  async () => {
    using home = scratch();
    mkdirSync(join(home.path, 'vault'));
    writeFileSync(join(home.path, 'vault/secret'), 'secret\n');
    mkdirSync(join(home.path, 'open/deep'), { recursive: true });
    symlinkSync(join(home.path, 'vault'), join(home.path, 'open/deep/data'));
    writeFileSync(join(home.path, 'open/file'), 'own\n');
    symlinkSync('vault', join(home.path, 'beside'));
    const reach = (what: string) => `cat ${join(home.path, what)} || true`;
    const said = await guarded(home.path, [join(home.path, 'open')], (helper) =>
      [
        reach('open/deep/data/secret'),
        reach('open/file'),
        reach('beside/secret'),
        `CRTOOLS_SCRIPT_ACTION=post-restore ${helper}`,
        reach('open/deep/data/secret'),
      ].join('\n'),
    );
    expect(said.replaceAll(home.path, '')).toBe(
      'cat: /open/deep/data/secret: Too many levels of symbolic links\nown\nsecret\nsecret\n',
    );
    // Nothing of it is seen outside.
    expect(readFileSync(join(home.path, 'open/deep/data/secret'), 'utf8')).toBe('secret\n');
  },
);
