import type { Note } from '../vocabulary/decision.ts';
import type { JobRecord } from '../vocabulary/state.ts';
import type { Draft } from './draft.ts';

/** What a dry run would have done: in the log, the history and the counters. */
export function noteDry(draft: Draft, job: JobRecord | null, what: string, details: Note['details']): void {
  const whose = job === null ? '' : `job ${job.jobId}: `;
  draft.note('warn', 'dry-run', job, `dry run: ${whose}${what}`, details);
}
