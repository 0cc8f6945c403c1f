import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { JobId } from '../../../vocabulary/job.ts';
import { placesOf, restoreRoot } from './places.ts';
import type { StartedRun } from './run.ts';

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const schema = v.object({
  version: v.literal(1),
  jobId: number,
  restarts: number,
  owner: v.object({ uid: number, gid: number, groups: v.array(number) }),
  actionId: v.string(),
  dumpedRestarts: number,
  moved: v.optional(v.boolean()),
  shared: v.optional(v.array(v.string())),
  outputs: v.array(
    v.object({ path: v.string(), ino: v.nullable(v.string()), shared: v.optional(v.boolean()) }),
  ),
  sockets: v.optional(v.object({ sockets: v.array(v.string()), peers: v.array(v.string()) })),
  phase: v.picklist(['preparing', 'prepared', 'going', 'checked']),
  task: v.nullable(v.object({ pid: number, startTime: number })),
});

/** The runs that are on their way back, on this node's disk: so that an engine that is killed finds them again. */
export interface RunStore {
  write(run: StartedRun): Promise<void>;
  remove(run: Pick<StartedRun, 'jobId' | 'restarts'>): Promise<void>;
  /** Of all jobs; folders that hold no record are removed. */
  readAll(): Promise<StartedRun[]>;
  /** Folders of this job's other runs. */
  removeOthers(jobId: JobId, restarts: number): Promise<void>;
}

export function runStore(workDir: string): RunStore {
  const root = restoreRoot(workDir);
  const names = async (): Promise<string[]> =>
    (await readdir(root).catch(() => [])).filter((name) => /^\d{1,10}\.\d{1,10}$/.test(name));

  return {
    async write(run) {
      const { dir, record } = placesOf(workDir, run.jobId, run.restarts);
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const temporary = `${record}.new`;
      await writeFile(temporary, JSON.stringify({ version: 1, ...run }), { mode: 0o600 });
      await rename(temporary, record);
    },
    async remove({ jobId, restarts }) {
      await rm(placesOf(workDir, jobId, restarts).dir, { recursive: true, force: true });
    },
    async readAll() {
      const runs: StartedRun[] = [];
      for (const name of await names()) {
        const run = await readRecord(join(root, name, 'run.json'));
        if (run && name === `${run.jobId}.${run.restarts}`) runs.push(run);
        else await rm(join(root, name), { recursive: true, force: true });
      }
      return runs;
    },
    async removeOthers(jobId, restarts) {
      for (const name of await names()) {
        if (!name.startsWith(`${jobId}.`) || name === `${jobId}.${restarts}`) continue;
        await rm(join(root, name), { recursive: true, force: true });
      }
    },
  };
}

async function readRecord(path: string): Promise<StartedRun | null> {
  try {
    return v.parse(schema, JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}
