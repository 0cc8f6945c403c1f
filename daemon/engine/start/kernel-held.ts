import { readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isOwnersToRead, processFile, whyNotAsRoot } from '../job/kernel-file.ts';
import type { Process } from '../job/process.ts';
import type { Verdict } from '../ports.ts';
import type { Held } from './held.ts';
import type { KernelHeld } from './opened.ts';

/**
 * What is left to be looked at as the owner of what the kernel makes up. A process of the job is root's until CRIU lets
 * go of it, and so is its folder in procfs: whether its owner may read in there is what he may of its program. One that
 * he may only execute keeps the rest of it from him as well.
 */
export async function ofTheKernel(
  proc: string,
  { init, processes }: { readonly init: Process; readonly processes: readonly Process[] },
  kernels: readonly KernelHeld[],
): Promise<{ readonly ok: true; readonly held: readonly Held[] } | (Verdict & { readonly ok: false })> {
  if (kernels.length === 0) return { ok: true, held: [] };
  const own = await stat(join(proc, String(init.pid), 'root/proc'), { bigint: true });
  const held: Held[] = [];
  for (const { isFolder, isProc, ...file } of kernels) {
    const why = isFolder ? null : whyNotAsRoot(file.path, file.access);
    if (why !== null) return { ok: false, message: `the job may not have ${file.path}: ${why}` };
    const of = isProc && file.dev === String(own.dev) ? processFile(file.path) : null;
    const process = of && processes.find(({ nsPids }) => nsPids.at(-1) === of.pid);
    const asked = process && isOwnersToRead(of, isFolder) ? await programOf(proc, process) : file;
    if (asked !== null) held.push(asked);
  }
  return { ok: true, held };
}

/** To be read. Null for one whose name is gone: it was made anew from the images, and is looked at as that. */
async function programOf(proc: string, { pid }: Process): Promise<Held | null> {
  const link = join(proc, String(pid), 'exe');
  const [path, { dev, ino, nlink }] = [await readlink(link, 'latin1'), await stat(link, { bigint: true })];
  if (nlink === 0n || path.endsWith(' (deleted)')) return null;
  return { path, dev: String(dev), ino: String(ino), access: 'read' };
}
