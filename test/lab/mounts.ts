import { mkdir, readFile } from 'node:fs/promises';
import { exec } from './exec.ts';
import { LabError } from './lab-error.ts';

interface Mount {
  target: string;
  fsType: string;
  options: string;
}

/** What is mounted in this process's mount namespace, in the order of mounting. */
export async function listMounts(): Promise<Mount[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const unescapeOctal = (text: string) =>
    text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  return table
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [fsType = '', , options = ''] = after.split(' ');
      return { target: unescapeOctal(before.split(' ')[4] ?? ''), fsType, options: unescapeOctal(options) };
    });
}

/**
 * Mounts `lower` with a writable layer on top at `layers.root`. Nothing is synced to the disk (`volatile`): it is
 * faster, and a layer does not outlive its mount.
 */
export async function mountOverlay(lower: string, layers: { root: string; upper: string; work: string }) {
  for (const dir of Object.values(layers)) await mkdir(dir, { recursive: true });
  const options = `lowerdir=${lower},upperdir=${layers.upper},workdir=${layers.work},volatile`;
  await exec('mount', ['-t', 'overlay', 'overlay', '-o', options, layers.root]);
}

/** Whether some overlay uses `path` as its lower layer. */
export async function isMountedFrom(path: string): Promise<boolean> {
  const mounts = await listMounts();
  return mounts.some((mount) => mount.fsType === 'overlay' && mount.options.includes(`lowerdir=${path},`));
}

/** Unmounts everything at or under `dir`; throws LabError if something is left. */
export async function unmountUnder(dir: string): Promise<void> {
  const under = async () =>
    (await listMounts())
      .map((mount) => mount.target)
      .filter((path) => path === dir || path.startsWith(`${dir}/`));
  for (const target of (await under()).reverse()) await exec('umount', [target], { reject: false });
  const left = await under();
  if (left.length > 0) throw new LabError(`cannot unmount ${left.join(', ')}: still in use`);
}
