import { join } from 'node:path';
import type { EpochMs, JobId } from '../../../vocabulary/job.ts';
import { codeOf } from '../../store-error.ts';
import { writeNew } from './durable.ts';
import { readdir, rmdir, stat, unlink, utimes } from './files.ts';
import { ensureFolder } from './guard.ts';
import { type Places, readJobName, TRASH } from './places.ts';

/** Which jobs a node has written for: empty files in a folder of each node's. Rejects with the file system's errors. */
export interface Marks {
  /** Makes the folder of this node; its path. */
  ensureNode(): Promise<string>;
  add(jobId: JobId): Promise<void>;
  remove(node: string, jobId: JobId): Promise<void>;
  of(node: string): Promise<readonly JobId[]>;
  /** This node is there, and looks after its jobs. */
  touch(now: EpochMs): Promise<void>;
  /** Nodes that have not been touched since. */
  untouchedSince(before: EpochMs): Promise<readonly string[]>;
  /** Takes away the folder of another node that has no marks left. */
  drop(node: string): Promise<void>;
}

export function createMarks(places: Places, node: string): Marks {
  const own = new Set<JobId>();

  async function ensureNode(): Promise<string> {
    await ensureFolder(places.cluster);
    await ensureFolder(places.nodes);
    await ensureFolder(places.node(node));
    return places.node(node);
  }

  return {
    ensureNode,
    async add(jobId) {
      if (own.has(jobId)) return;
      try {
        await writeNew(join(await ensureNode(), String(jobId)), '');
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      own.add(jobId);
    },
    async remove(of, jobId) {
      if (of === node) own.delete(jobId);
      await ignoring('ENOENT', unlink(join(places.node(of), String(jobId))));
    },
    async of(of) {
      return (await namesIn(places.node(of))).map(readJobName).filter((jobId) => jobId !== null);
    },
    async touch(now) {
      await utimes(await ensureNode(), now / 1000, now / 1000);
    },
    async untouchedSince(before) {
      const silent: string[] = [];
      for (const name of await namesIn(places.nodes)) {
        if (name === node) continue;
        const there = await stat(places.node(name)).catch(() => null);
        if (there !== null && there.mtimeMs < before) silent.push(name);
      }
      return silent;
    },
    async drop(of) {
      if (of === node) return;
      await ignoring('ENOENT', rmdir(join(places.node(of), TRASH)));
      await ignoring('ENOENT', rmdir(places.node(of)));
    },
  };
}

/** Empty where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function ignoring(code: string, done: Promise<void>): Promise<void> {
  await done.catch((error: unknown) => {
    if (codeOf(error) !== code) throw error;
  });
}
