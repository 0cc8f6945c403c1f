import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../lab/base.ts';
import { exec } from '../../lab/exec.ts';
import { withLock } from '../../lab/lock.ts';
import { debianMirror } from '../../lab/mirror.ts';

/** Debian's releases, and the Slurm that each has. */
export const SLURM_OF = { bookworm: '22.05', trixie: '24.11', forky: '26.05' } as const;
export type Suite = keyof typeof SLURM_OF;

/**
 * A folder with the `slurm/*.h` of a Debian release and nothing else, for `SLURM_INCLUDE`. Fetched once a machine, by
 * an apt with a state of its own: this machine's sources and packages stay as they are. Needs root, as the lab does.
 */
export async function slurmHeaders(suite: Suite): Promise<string> {
  const folder = join(cacheDir, 'slurm-headers', suite);
  if (await exists(folder)) return folder;
  await withLock(`slurm-headers ${cacheDir}`, async () => {
    if (!(await exists(folder))) await fetchHeaders(suite, folder);
  });
  return folder;
}

async function fetchHeaders(suite: Suite, folder: string): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(join(folder, `../.${suite}-`));
  try {
    for (const dir of ['lists/partial', 'archives/partial', 'root'])
      await mkdir(join(work, dir), { recursive: true });
    const { uri } = await debianMirror();
    const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
    await writeFile(join(work, 'sources.list'), `deb [signed-by=${key}] ${uri} ${suite} main\n`);
    await writeFile(join(work, 'status'), '');
    const apt = [
      ...[`Dir::State=${work}`, `Dir::State::lists=${work}/lists`, `Dir::State::status=${work}/status`],
      ...[`Dir::Cache=${work}`, `Dir::Etc::sourcelist=${work}/sources.list`, 'Dir::Etc::sourceparts=-'],
      ...['APT::Sandbox::User=root', 'Acquire::Languages=none', 'Acquire::Check-Valid-Until=false'],
    ].flatMap((option) => ['-o', option]);
    await exec('apt-get', [...apt, 'update', '-q'], { cwd: work });
    await exec('apt-get', [...apt, 'download', '-q', 'libslurm-dev'], { cwd: work });
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (!archive) throw new Error(`apt-get download left no libslurm-dev of ${suite}`);
    await exec('dpkg-deb', ['--extract', join(work, archive), join(work, 'root')]);
    await mkdir(join(work, 'include'));
    await rename(join(work, 'root/usr/include/slurm'), join(work, 'include/slurm'));
    await rename(join(work, 'include'), folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
