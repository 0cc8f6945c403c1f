import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { needsGuard } from './guard.ts';
import type { Leaving } from './leaving.ts';
import { newPlan } from './plan.ts';
import { finalCheckpointFits } from './plan-time.ts';

/** Reports each call that a plan for the run would make, once an episode. The run itself is not touched. */
export function rehearse(draft: Draft, job: JobRecord, { node, reason, deadline }: Leaving): void {
  const plan: Plan = { ...newPlan(draft.at, { node, reason, deadline }), step: 'rehearsed' };
  draft.change(job.jobId, { plan });
  const details = { node, reason, deadline };
  const saved = job.ready?.actionId ?? null;
  const final = finalCheckpointFits(draft, job, plan);
  if (needsGuard(draft, job, plan)) draft.noteDryRun(job, 'Requeue would be switched off', details);
  if (final) draft.noteDryRun(job, 'a final checkpoint would be asked for (manual)', details);
  if (!final && saved === null) {
    return draft.noteDryRun(
      job,
      'it would be in danger: there is no checkpoint of it that is ready',
      details,
    );
  }
  const which = final ? 'its final checkpoint' : saved;
  const otherwise = final && saved !== null ? `, or of ${saved} if that fails` : '';
  draft.noteDryRun(job, `a restore of ${which} would be asked for (${reason})${otherwise}`, {
    ...details,
    action_id: saved,
  });
  if (draft.policy.restore.sourceJob === 'cancel') {
    draft.noteDryRun(job, 'the old run would be ended after it', details);
  }
}
