import type { EpochMs } from '../../vocabulary/job.ts';
import type { Notice } from '../../vocabulary/notice.ts';
import type { Draft } from '../draft.ts';

export interface Termination extends Notice {
  readonly seenAt: EpochMs;
}

/** The active termination notices, the earliest deadline first. `dryRun` includes `restore.dry_run`. */
export function standingTerminations(draft: Pick<Draft, 'notices' | 'policy'>): Termination[] {
  if (draft.notices.size === 0) return [];
  return [...draft.notices.values()]
    .filter(({ notice }) => notice.kind === 'termination')
    .map(({ notice, seenAt }) => ({
      ...notice,
      seenAt,
      dryRun: notice.dryRun || draft.policy.restore.dryRun,
    }))
    .sort(
      (a, b) =>
        (a.deadline ?? Number.MAX_VALUE) - (b.deadline ?? Number.MAX_VALUE) ||
        a.seenAt - b.seenAt ||
        (a.id < b.id ? -1 : 1),
    );
}
