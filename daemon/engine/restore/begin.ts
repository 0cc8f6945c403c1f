import { groupsOf } from '../owner/as-owner.ts';
import type { Owner } from '../owner/owner.ts';
import type { Found, StartAsk } from '../ports.ts';
import { retireOrMark } from './choose/anew.ts';
import { announce, type Before, readRecord } from './choose/announce.ts';
import { type Choice, choose, freshText, standing } from './choose/choose.ts';
import { identify } from './choose/identify.ts';
import { type Tried, tryCandidate } from './prepare/candidate.ts';
import type { Parts } from './run/parts.ts';
import { onceStoreIsBack } from './store-back.ts';

export type Begun =
  | Extract<Tried, { type: 'restore' }>
  /** From the beginning, although there was something to go on from. */
  | { readonly type: 'anew'; readonly why: string }
  /** From the beginning, as it should. */
  | null;

/**
 * What is left of a job's start in which nothing went wrong: see `Starter.start`. Rejects with the signal's reason where
 * the engine ends meanwhile.
 */
export async function begin(parts: Parts, ask: StartAsk): Promise<Begun> {
  const { store, log } = parts;
  const { jobId } = ask;
  const checkpoints = await onceStoreIsBack(parts, jobId, () => store.ofJob(jobId));
  const given = await onceStoreIsBack(parts, jobId, () => store.readOrder(jobId));
  const order = standing(given, checkpoints);
  if (given !== order)
    log.warn(
      { job_id: jobId, action_id: given?.actionId },
      `job ${jobId} ran on after it was to be restored from checkpoint ${given?.actionId}: that order is void`,
    );
  const before = { checkpoints, order, record: await readRecord(parts, jobId) };
  const isFresh = order === null && checkpoints.every(({ deprecated }) => deprecated !== null);
  // The usual case, and it costs no RPC.
  if (isFresh && !mayHaveOldRun(parts, ask, before)) return null;
  let begun: Begun = null;
  try {
    begun = await goOn(parts, ask, before, isFresh);
    return begun;
  } finally {
    if (begun?.type !== 'restore') parts.helpers.close(jobId);
  }
}

/** Whether a run without a checkpoint may have to wait for one on another node, as far as that is known without Slurm. */
function mayHaveOldRun(
  { config }: Parts,
  { restarts }: StartAsk,
  { record }: Pick<Before, 'record'>,
): boolean {
  if (record === null) return false;
  if (record.node !== config.slurm.node) return true;
  // This very run may have been recorded, and not have waited. The word on which it is may be an earlier run's.
  return record.before !== undefined && (restarts === null || restarts <= record.restarts);
}

async function goOn(parts: Parts, ask: StartAsk, before: Before, isFresh: boolean): Promise<Begun> {
  const { store, log } = parts;
  const { jobId, uid } = ask;
  const { checkpoints, order } = before;
  const [identified, owner] = await Promise.all([
    identify(parts, ask, order, checkpoints),
    isFresh ? null : becomeOwner(parts, ask, checkpoints),
  ]);
  if ('why' in identified) return isFresh ? null : { type: 'anew', why: identified.why };
  const { facts } = identified;
  if (owner === null) {
    await announce(parts, facts, before);
    return null;
  }
  const choice = choose({ ...identified, uid, checkpoints, order });
  const fields = { job_id: jobId, restarts: facts.restarts };
  if (!isOthers(choice)) await announce(parts, facts, before);
  if (choice.type === 'fresh') {
    const { why } = choice;
    const isMeant = why.kind === 'policy' || why.kind === 'id-reused';
    const say = isMeant ? log.info : log.error;
    say({ ...fields }, `job ${jobId} begins anew: ${freshText(why)}`);
    if (why.kind === 'id-reused') await store.removeJob(jobId, freshText(why));
    else if (why.kind !== 'other-owner') await retireOrMark(parts, facts, checkpoints);
    return isMeant ? null : { type: 'anew', why: freshText(why) };
  }
  let newest = '';
  for (const found of choice.candidates) {
    const { actionId } = found.manifest;
    const tried = await tryCandidate(parts, found, facts, owner, order);
    if (tried.type === 'restore') {
      log.info({ ...fields, action_id: actionId }, `job ${jobId} is restored from checkpoint ${actionId}`);
      return tried;
    }
    // What it was done with ends with the engine: that says nothing of the checkpoint.
    if (tried.type === 'failed') parts.signal.throwIfAborted();
    await parts.runs.remove(facts);
    if (tried.type === 'files') {
      log.info(
        { ...fields, action_id: actionId },
        `job ${jobId} begins anew with its files from checkpoint ${actionId}`,
      );
      await retireOrMark(
        parts,
        facts,
        checkpoints.filter(({ manifest }) => manifest.criu !== null),
      );
      return null;
    }
    log.error(
      { ...fields, action_id: actionId },
      `job ${jobId} cannot be restored from checkpoint ${actionId}: ${tried.message}`,
    );
    newest ||= tried.message;
    if (tried.damaged) await store.deprecate(actionId, tried.message);
  }
  log.error(fields, `job ${jobId} begins anew: none of its checkpoints can be restored here`);
  await retireOrMark(parts, facts, checkpoints);
  return { type: 'anew', why: `none of its checkpoints can be restored here: ${newest}` };
}

/** Who the plugin says it is. What acts with his rights starts while Slurm is asked: nothing is asked of it before. */
async function becomeOwner(parts: Parts, ask: StartAsk, checkpoints: readonly Found[]): Promise<Owner> {
  const { jobId, uid, gid } = ask;
  const owner: Owner = { uid, gid, groups: await groupsOf(parts.exec, uid, gid) };
  const isLikely = checkpoints.some(
    ({ manifest, deprecated }) => deprecated === null && manifest.criu !== null && manifest.uid === uid,
  );
  if (isLikely) parts.helpers.open(jobId, owner);
  return owner;
}

/** What is kept under this id is not this job's. */
function isOthers(choice: Choice): boolean {
  return choice.type === 'fresh' && (choice.why.kind === 'id-reused' || choice.why.kind === 'other-owner');
}
