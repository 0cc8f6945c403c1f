import type { JobFacts } from '../../../vocabulary/job.ts';
import type { Order } from '../../manifest.ts';
import type { Found } from '../../ports.ts';

/** What is known when a batch script is about to start. */
export interface Situation {
  /** Slurm's word. */
  readonly facts: Pick<JobFacts, 'jobId' | 'restarts' | 'uid' | 'name'>;
  /** The plugin's word: who the job is started for. */
  readonly uid: number;
  /** Of this job's id, newest first. */
  readonly checkpoints: readonly Found[];
  /** One that stands. */
  readonly order: Order | null;
  /** Whether the policy lets a job resume that nobody ordered back. */
  readonly resumes: boolean;
}

export type Choice =
  /** Best first: where one turns out to be damaged, the next is tried. Never empty. */
  | { readonly type: 'restore'; readonly candidates: readonly Found[]; readonly ordered: boolean }
  | { readonly type: 'fresh'; readonly why: Fresh };

/** Why a job begins anew. */
export type Fresh =
  /** Slurm and the plugin do not mean the same job. */
  | { readonly kind: 'other-owner'; readonly told: number; readonly slurms: number }
  /** The checkpoints are of a job that had this id before. */
  | { readonly kind: 'id-reused'; readonly actionId: string; readonly because: string }
  /** Nothing is left to start from: every checkpoint is deprecated, or could not be read. */
  | { readonly kind: 'none-ready'; readonly ordered: string | null }
  | { readonly kind: 'other-name'; readonly actionId: string; readonly was: string }
  /** `resume: false` */
  | { readonly kind: 'policy'; readonly actionId: string };

/**
 * The order, or null for one that is void: it says that the old run ended with it, and that run was saved once more
 * afterwards. The move failed, and its order came late into its place, or stayed in it (`migrate/settle.ts`).
 */
export function standing(order: Order | null, checkpoints: readonly Found[]): Order | null {
  if (!order?.ended) return order;
  const wentOn = checkpoints.some(
    ({ manifest: { actionId, restarts, uid, takenAt } }) =>
      actionId !== order.actionId &&
      restarts === order.restarts - 1 &&
      uid === order.uid &&
      takenAt > order.createdAt,
  );
  return wentOn ? null : order;
}

/** Which checkpoint a start begins from, if any. */
export function choose(situation: Situation): Choice {
  const { facts, uid, checkpoints, resumes } = situation;
  if (facts.uid !== uid) return fresh({ kind: 'other-owner', told: uid, slurms: facts.uid });
  const stranger = firstStranger(situation);
  if (stranger) return fresh(stranger);
  const order = situation.order?.restarts === facts.restarts ? situation.order : null;
  const ready = checkpoints.filter(({ deprecated }) => deprecated === null);
  if (ready.length === 0) return fresh({ kind: 'none-ready', ordered: order?.actionId ?? null });
  const ordered = ready.filter(({ manifest }) => manifest.actionId === order?.actionId);
  const others = ready.filter(({ manifest }) => manifest.actionId !== order?.actionId);
  if (order) return { type: 'restore', candidates: [...ordered, ...others], ordered: ordered.length > 0 };
  const named = others.filter(({ manifest }) => manifest.jobName === facts.name);
  const newest = others[0]!.manifest;
  if (named.length === 0)
    return fresh({ kind: 'other-name', actionId: newest.actionId, was: newest.jobName });
  if (!resumes) return fresh({ kind: 'policy', actionId: newest.actionId });
  return { type: 'restore', candidates: named, ordered: false };
}

const fresh = (why: Fresh): Choice => ({ type: 'fresh', why });

/** A run counts its restarts up and never changes hands: what does not fit belonged to another job with this id. */
function firstStranger({ facts, checkpoints, order }: Situation): Fresh | null {
  const kept = [...checkpoints.map(({ manifest }) => manifest), ...(order ? [order] : [])];
  const others = kept.find(({ uid }) => uid !== facts.uid);
  if (others) {
    return { kind: 'id-reused', actionId: others.actionId, because: `it belongs to uid ${others.uid}` };
  }
  const later = checkpoints.find(({ manifest }) => manifest.restarts >= facts.restarts)?.manifest;
  if (!later) return null;
  const because = `it was taken after restart ${later.restarts}, and this is restart ${facts.restarts}`;
  return { kind: 'id-reused', actionId: later.actionId, because };
}

/** For the log, behind "the job begins anew: ". */
export function freshText(why: Fresh): string {
  switch (why.kind) {
    case 'other-owner':
      return `the SPANK plugin says it is uid ${why.told}'s, and Slurm says uid ${why.slurms}'s`;
    case 'id-reused':
      return `checkpoint ${why.actionId} is of another job that had this id (${why.because}); the checkpoints are removed`;
    case 'none-ready':
      return why.ordered === null
        ? 'no checkpoint of it can be restored from'
        : `checkpoint ${why.ordered}, which it was to be restored from, cannot be used, and there is no other`;
    case 'other-name':
      return `checkpoint ${why.actionId} is of a job named ${JSON.stringify(why.was)}`;
    case 'policy':
      return `its policy says resume: false, so checkpoint ${why.actionId} is not used`;
  }
}
