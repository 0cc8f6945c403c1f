import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { baseRoot } from '../lab/base.ts';
import { withLock } from '../lab/lock.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** What the nodes of the tests' clusters have of this checkout. */
export interface Installed {
  /** As systemd/install leaves it, with the C programs. */
  readonly stage: string;
  /** The job programs of test/jobs, all of them executable. */
  readonly jobs: string;
}

/** In whose value `global-setup.ts` says what it has made, for all clusters of a run of the tests. */
export const MADE_ONCE = 'CKPTD_LAB_INSTALLED';

/** Makes it for one cluster, or says what was made for all; what is made goes with `resources`. Nobody writes there. */
export async function installed(resources: AsyncDisposableStack): Promise<Installed> {
  const made = process.env[MADE_ONCE];
  return made === undefined ? makeInstalled(resources) : (JSON.parse(made) as Installed);
}

export async function makeInstalled(resources: AsyncDisposableStack): Promise<Installed> {
  const [stage, { native, jobs }] = [await staged(resources), await compiled(resources)];
  // Where systemd/install puts those that it finds.
  for (const name of await readdir(native))
    await cp(join(native, name), join(stage, 'usr/lib/ckptd', name), { force: true });
  return { stage, jobs };
}

async function staged(resources: AsyncDisposableStack): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), 'ckptd-stage-'));
  resources.defer(() => rm(stage, { recursive: true, force: true }));
  // Bundling empties dist/, which another cluster may be installed from at this moment.
  await withLock('dist', async () => {
    await run(process.execPath, ['systemd/bundle.ts'], { cwd: ROOT });
    await run('sh', ['systemd/install', '--root', stage], { cwd: ROOT });
  });
  return stage;
}

const COMPILE = `
mount -t tmpfs tmpfs "$1/tmp"
mkdir "$1/tmp/work"
mount --bind "$2" "$1/tmp/work"
chroot "$1" sh -ec '
  cd /tmp/work
  make -C hooks/criu OUT=/tmp/work/out
  make -C hooks/spank OUT=/tmp/work/out SLURM_INCLUDE=/usr/include
  for source in jobs/*.c; do
    gcc -O2 -Wall -Wextra -Werror -pthread -o "\${source%.c}" "$source" && rm "$source"
  done'
`;

/**
 * Compiles what is in C in the root of the lab's nodes, against their Slurm; nothing of that root changes. `native`:
 * ckptd-criu and ckptd_spank.so.
 */
async function compiled(resources: AsyncDisposableStack): Promise<{ native: string; jobs: string }> {
  const work = await mkdtemp(join(tmpdir(), 'ckptd-compile-'));
  resources.defer(() => rm(work, { recursive: true, force: true }));
  await cp(join(ROOT, 'hooks'), join(work, 'hooks'), { recursive: true });
  await cp(join(ROOT, 'test/jobs'), join(work, 'jobs'), { recursive: true });
  await mkdir(join(work, 'out'));
  const path = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  await run('unshare', ['--mount', 'sh', '-ec', COMPILE, 'sh', await baseRoot(), work], { env: path });
  return { native: join(work, 'out'), jobs: join(work, 'jobs') };
}
