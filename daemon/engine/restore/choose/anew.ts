import { lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isJobId } from '../../../slurm/commands.ts';
import type { JobId } from '../../../vocabulary/job.ts';
import type { Found, StartAsk } from '../../ports.ts';
import { retire } from '../../retention/retire.ts';
import { untilItAnswers } from '../../store/until-it-answers.ts';
import type { Parts } from '../run/parts.ts';

interface Mark {
  readonly jobId: JobId;
  readonly restarts: number;
  readonly uid: number;
}

/**
 * Runs of this node that began anew while nobody could look for their checkpoints, as empty files
 * `anew/JOB.RESTARTS.UID` beside the engine's socket: the SPANK plugin leaves one where no engine answers, the engine
 * where it cannot look at the store or change it. Until a mark is settled a later run could be put back to a checkpoint
 * whose files that run has overwritten.
 */
export interface AnewMarks {
  /** Jobs that have one. */
  jobs(): Promise<readonly JobId[]>;
  /** The mark is tried to be settled from now on, until the store answers: it goes with the node. Never rejects. */
  add(ask: Pick<StartAsk, 'jobId' | 'restarts' | 'uid'>): Promise<void>;
  /** Deprecates what was taken of the job before it began anew. Never rejects: what fails is tried at its next start. */
  settle(jobId: JobId): Promise<void>;
}

type MarkParts = Pick<Parts, 'config' | 'store' | 'clock' | 'log' | 'signal'>;

/** `retire`, and a mark where a checkpoint could not be deprecated. Never rejects. */
export async function retireOrMark(
  parts: MarkParts,
  mark: Mark,
  checkpoints: readonly Found[],
): Promise<void> {
  if (!(await retire(parts, mark, checkpoints))) await anewMarks(parts).add(mark);
}

export function anewMarks(parts: MarkParts): AnewMarks {
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

  /** False: one of the job's is left. */
  async function settle(jobId: JobId): Promise<boolean> {
    let isDone = true;
    for (const mark of (await all()).filter((each) => each.jobId === jobId)) {
      const fields = { job_id: jobId, restarts: mark.restarts };
      try {
        const own = (await store.ofJob(jobId)).filter(({ manifest }) => manifest.uid === mark.uid);
        if (!(await retire(parts, mark, own))) {
          isDone = false;
          continue;
        }
        await rm(join(folder, nameOf(mark)), { force: true });
        log.info(fields, `job ${jobId} began anew as restart ${mark.restarts} while nobody could be asked`);
      } catch (error) {
        isDone = false;
        log.warn(
          { ...fields, err: error },
          `job ${jobId}: checkpoints whose files its run ${mark.restarts} has overwritten are not deprecated yet: it is tried until the store answers (ls ${parts.config.dir})`,
        );
      }
    }
    return isDone;
  }

  return {
    jobs: async () => [...new Set((await all()).map(({ jobId }) => jobId))],
    async add({ jobId, restarts, uid }) {
      if (restarts === null || restarts === 0) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(join(folder, nameOf({ jobId, restarts, uid })), '', { mode: 0o600 });
      } catch (error) {
        log.error(
          { job_id: jobId, restarts, err: error },
          `job ${jobId}: that it began anew as restart ${restarts} cannot be noted: until its next checkpoint is ready it is in danger of going on from an older one. Look at ${folder}`,
        );
      }
      void untilItAnswers(parts, () => settle(jobId));
    },
    async settle(jobId) {
      await settle(jobId);
    },
  };
}

const nameOf = ({ jobId, restarts, uid }: Mark): string => `${jobId}.${restarts}.${uid}`;

function readMark(name: string): Mark[] {
  const [, job, restarts, uid] = /^(\d{1,10})\.(\d{1,5})\.(\d{1,10})$/.exec(name) ?? [];
  const mark = { jobId: Number(job), restarts: Number(restarts), uid: Number(uid) };
  return isJobId(mark.jobId) && nameOf(mark) === name ? [mark] : [];
}
