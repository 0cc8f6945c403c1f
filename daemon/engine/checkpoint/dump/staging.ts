import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** A dump's own folder on this node's disk: the job is frozen while it is written, so it is local. Root only. */
export interface Staging extends AsyncDisposable {
  readonly dir: string;
  readonly images: string;
  /** CRIU's log, statistics and whatever else it leaves. */
  readonly work: string;
  /** Of the open files. */
  readonly record: string;
  /** The job's node-local files, where they are carried. */
  readonly archive: string;
  /** For another try. */
  empty(): Promise<void>;
}

/** The parent of all staging folders. */
export const stagingRoot = (workDir: string): string => join(workDir, 'dump');

/** Makes it, empty. Rejects with the file system's error. Disposed of, it is removed. */
export async function makeStaging(workDir: string, actionId: string): Promise<Staging> {
  const dir = join(stagingRoot(workDir), actionId);
  const [images, work] = [join(dir, 'images'), join(dir, 'work')];
  async function make(): Promise<void> {
    for (const folder of [dir, images, work]) await mkdir(folder, { mode: 0o700 });
  }
  const remove = () => rm(dir, { recursive: true, force: true });
  await mkdir(stagingRoot(workDir), { recursive: true, mode: 0o700 });
  await make();
  return {
    dir,
    images,
    work,
    record: join(dir, 'record'),
    archive: join(dir, 'local.tar'),
    empty: () => remove().then(make),
    [Symbol.asyncDispose]: remove,
  };
}

/** The action ids of staging folders that are there. */
export async function listStaging(workDir: string): Promise<string[]> {
  return readdir(stagingRoot(workDir)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** Of what the disk of the node itself has free: the rest is for others. */
export const SPARE_BYTES = 256 * 1024 * 1024;

/** Bytes that root may still write on the disk below `workDir`. */
export async function freeBytes(workDir: string): Promise<number> {
  await mkdir(stagingRoot(workDir), { recursive: true, mode: 0o700 });
  return freeIn(stagingRoot(workDir));
}

/** The same, of the file system of a folder that is there. */
export async function freeIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
