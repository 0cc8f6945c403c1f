import { lstat, mkdir, readdir, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isJobId } from '../../sources/slurm/commands.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { StartAsk } from '../ports.ts';
import type { Parts } from './parts.ts';
import { retire } from './retire.ts';

interface Mark {
  readonly jobId: JobId;
  readonly restarts: number;
  readonly uid: number;
}

/**
 * Runs of this node that began anew while nobody could look for their checkpoints, as empty files
 * `anew/JOB.RESTARTS.UID` beside the engine's socket: the SPANK plugin leaves one where no engine answers, the engine
 * where it cannot look at the store. Until a mark is settled a later run could be put back to a checkpoint whose files
 * that run has overwritten.
 */
export interface AnewMarks {
  /** Jobs that have one. */
  jobs(): Promise<readonly JobId[]>;
  /** Never rejects. */
  add(ask: StartAsk): Promise<void>;
  /** Deprecates what was taken of the job before it began anew. Never rejects: what fails is tried at its next start. */
  settle(jobId: JobId): Promise<void>;
}

export function anewMarks(parts: Pick<Parts, 'config' | 'store' | 'log'>): AnewMarks {
  const { store, log } = parts;
  const folder = join(dirname(parts.config.socket.path), 'anew');

  async function all(): Promise<readonly Mark[]> {
    try {
      const { uid, mode } = await lstat(folder);
      if (uid === process.geteuid?.() && (mode & 0o022) === 0)
        return (await readdir(folder)).flatMap(readMark);
      log.error({ folder }, 'runs that began anew are not read from there: others may write to it');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log.error({ folder, err: error }, 'runs that began anew cannot be read');
    }
    return [];
  }

  return {
    jobs: async () => [...new Set((await all()).map(({ jobId }) => jobId))],
    async add({ jobId, restarts, uid }) {
      if (restarts === null || restarts === 0) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(join(folder, nameOf({ jobId, restarts, uid })), '', { mode: 0o600 });
      } catch (error) {
        log.error({ job_id: jobId, restarts, err: error }, 'that a job began anew cannot be noted');
      }
    },
    async settle(jobId) {
      for (const mark of (await all()).filter((each) => each.jobId === jobId)) {
        const fields = { job_id: jobId, restarts: mark.restarts };
        try {
          const own = (await store.ofJob(jobId)).filter(({ manifest }) => manifest.uid === mark.uid);
          if (!(await retire(parts, mark, own))) continue;
          await unlink(join(folder, nameOf(mark)));
          log.info(fields, `job ${jobId} began anew as restart ${mark.restarts} while nobody could be asked`);
        } catch (error) {
          log.warn(
            { ...fields, err: error },
            'checkpoints that a run has overwritten are not deprecated yet',
          );
        }
      }
    },
  };
}

const nameOf = ({ jobId, restarts, uid }: Mark): string => `${jobId}.${restarts}.${uid}`;

function readMark(name: string): Mark[] {
  const [, job, restarts, uid] = /^(\d{1,10})\.(\d{1,5})\.(\d{1,10})$/.exec(name) ?? [];
  const mark = { jobId: Number(job), restarts: Number(restarts), uid: Number(uid) };
  return isJobId(mark.jobId) && nameOf(mark) === name ? [mark] : [];
}
