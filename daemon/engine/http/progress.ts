import { BoundedMap } from '../../system/bounded-map.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { Checkpointer, CheckpointStatus, Store } from '../ports.ts';
import type { Listed } from '../store/listing.ts';
import { StoreError } from '../store-error.ts';
import { isUuid } from './ask-body.ts';

/** The words of `GET /v2/checkpoint/status/{id}`. */
export interface StatusWord {
  readonly status: CheckpointStatus['status'] | 'ready' | 'not_found';
  readonly details?: string;
}

/** The words of `GET /v2/slurm/checkpoints`. */
type ListWord = 'initializing' | 'updated_info' | 'ready' | 'deprecated' | 'error';

const WORD_UNDER_WAY: Readonly<Record<CheckpointStatus['status'], ListWord>> = {
  initialized: 'initializing',
  processing: 'updated_info',
  checkpoint_created: 'updated_info',
  error: 'error',
};

const MOST_REMEMBERED = 1_000;

/** What became of checkpoints: what this engine has under way, what it saw fail, and what the store has. */
export interface Progress {
  accepted(actionId: string, jobId: JobId): void;
  /** It was under way when an earlier engine ended. */
  lost(actionId: string): void;
  /** @throws StoreError when the file system does not say. */
  statusOf(actionId: string): Promise<StatusWord>;
  /** @throws StoreError */
  list(): Promise<readonly object[]>;
}

export function createProgress(ports: {
  readonly checkpointer: Pick<Checkpointer, 'status'>;
  readonly store: Pick<Store, 'find'> & { list(): Promise<readonly Listed[]> };
}): Progress {
  const { checkpointer, store } = ports;
  const asked = new BoundedMap<string, JobId>(MOST_REMEMBERED);
  const lost = new BoundedMap<string, true>(MOST_REMEMBERED);

  return {
    accepted: (actionId, jobId) => asked.set(actionId, jobId),
    lost: (actionId) => lost.set(actionId, true),
    async statusOf(actionId) {
      if (!isUuid(actionId)) return { status: 'not_found' };
      const underWay = checkpointer.status(actionId);
      if (underWay !== null) return underWay;
      if (lost.get(actionId)) {
        return { status: 'error', details: 'the engine ended while it was being taken: ask for another' };
      }
      try {
        const found = await store.find(actionId);
        if (found === null) return { status: 'not_found' };
        // The API has no word of its own for it here; what matters to whoever asks is whether it can be used.
        if (found.deprecated !== null) return { status: 'error', details: `deprecated: ${found.deprecated}` };
        return { status: 'ready' };
      } catch (error) {
        if (!(error instanceof StoreError) || error.mayPass) throw error;
        return { status: 'error', details: error.message };
      }
    },
    async list() {
      const published = await store.list();
      const there = new Set(published.map(({ actionId }) => actionId));
      const underWay = asked.entries().flatMap(([actionId, jobId]) => {
        const now = there.has(actionId) ? null : checkpointer.status(actionId);
        if (now === null) return [];
        const { status, details } = now;
        return [entry(actionId, jobId, WORD_UNDER_WAY[status], details === undefined ? {} : { details })];
      });
      return [...underWay, ...published.map(publishedEntry)];
    },
  };
}

function publishedEntry({ actionId, jobId, summary, deprecated, problem }: Listed): object {
  if (summary === null) return entry(actionId, jobId, 'error', { details: problem ?? '' });
  const { restarts, jobName, user, node, kind, reason, takenAt, storedBytes } = summary;
  return entry(actionId, jobId, deprecated === null ? 'ready' : 'deprecated', {
    restarts,
    job_name: jobName,
    user,
    node,
    kind,
    reason,
    created_at: new Date(takenAt).toISOString(),
    size: storedBytes,
    ...(deprecated !== null && { details: deprecated }),
  });
}

function entry(actionId: string, jobId: JobId, status: ListWord, more: object): object {
  return { action_id: actionId, job_id: String(jobId), status, ...more };
}
