import type { JobFacts } from '../../../vocabulary/job.ts';
import { readHost, whyIncompatible } from '../../criu/compatible.ts';
import { type Cores, groupBeyond, readCores } from '../../criu/images/cores.ts';
import type { Order } from '../../manifest.ts';
import type { Owner } from '../../owner/owner.ts';
import type { Operation } from '../../owner/protocol.ts';
import type { Found } from '../../ports.ts';
import type { Parts } from '../run/parts.ts';
import { type Places, placesOf } from '../run/places.ts';
import { outputsOf, rollbacksOf, type StartedRun, tagOf } from '../run/run.ts';
import { afterOthers } from './after-others.ts';
import { restoreArgv, unknownOptions } from './argv.ts';
import { clearScratch } from './clear-scratch.ts';
import { archiveOf, prepare } from './prepare.ts';
import { isMoved, sharedFiles } from './shared-files.ts';
import { unpack } from './unpack.ts';

export type Tried =
  | { readonly type: 'restore'; readonly argv: readonly string[]; readonly run: StartedRun }
  /** The files are there again (`rootfsonly`), and the script starts from its beginning. */
  | { readonly type: 'files' }
  /** `damaged`: on every node, so that nobody need try it again. */
  | { readonly type: 'failed'; readonly message: string; readonly damaged: boolean };

const failed = (message: string, damaged = false): Tried => ({ type: 'failed', message, damaged });

/** Gets everything ready to begin a run from one checkpoint; where that fails, nothing of the job's has changed. */
export async function tryCandidate(
  parts: Parts,
  found: Found,
  facts: Pick<JobFacts, 'jobId' | 'restarts'>,
  owner: Owner,
  order: Order | null,
): Promise<Tried> {
  const { manifest } = found;
  const places = placesOf(parts.config.workDir, facts.jobId, facts.restarts);
  const unfit = await whyUnfit(parts, found);
  if (unfit) return unfit;
  const [prepared, shared] = await Promise.all([prepare(found, places), sharedFiles(parts, found)]);
  if (!prepared.ok) return failed(prepared.message, prepared.damaged);
  if (manifest.criu === null) {
    const scratch = { ...parts, scratch: parts.config.scratch };
    const cleared = await clearScratch(scratch, owner, manifest, null);
    if (!cleared.ok) return failed(cleared.message);
    const unpacked = await unpack(parts.exec, parts.lanes, owner, archiveOf(found, places), null);
    return unpacked.ok ? { type: 'files' } : failed(unpacked.message);
  }
  const cores = await readCores(prepared.images);
  if (typeof cores === 'string') return failed(cores);
  const why = whyNotTheOwner(cores, owner);
  if (why !== null) return failed(why);
  return setOut(parts, found, {
    ...facts,
    owner,
    places,
    moved: isMoved(found, facts, order),
    shared,
    images: prepared.images,
    cores,
  });
}

/** CRIU has the owner's rights as Slurm gives them now; what the images have beyond that it could not give. */
function whyNotTheOwner({ credentials: { uid, gid, groups } }: Cores, owner: Owner): string | null {
  if (uid !== owner.uid || gid !== owner.gid)
    return `its processes are uid ${uid}, gid ${gid}, and the job is started for uid ${owner.uid}, gid ${owner.gid}`;
  const lost = groupBeyond({ groups }, owner);
  return lost === undefined
    ? null
    : `its processes have the group ${lost}, which uid ${uid} has not on this node`;
}

async function whyUnfit({ config, exec, proc }: Parts, { manifest }: Found): Promise<Tried | null> {
  if (manifest.criu === null) return null;
  const unknown = unknownOptions(manifest.criu.restoreOptions);
  if (unknown.length > 0)
    return failed(`it asks for options of CRIU's that are not known: ${unknown.join(' ')}`, true);
  const host = await readHost(exec, config.criu, proc);
  const misfit = typeof host === 'string' ? host : whyIncompatible(manifest, host);
  return misfit === null ? null : failed(misfit);
}

interface Ready {
  readonly jobId: number;
  readonly restarts: number;
  readonly owner: Owner;
  readonly places: Places;
  readonly moved: boolean;
  readonly shared: readonly string[];
  readonly images: string;
  readonly cores: Cores;
}

/** The last step: from here on the job's output is out of slurmstepd's way. */
async function setOut(parts: Parts, { manifest }: Found, ready: Ready): Promise<Tried> {
  const { config, runs, log } = parts;
  const { jobId, restarts, owner, moved, shared } = ready;
  const run: StartedRun = {
    jobId,
    restarts,
    owner,
    actionId: manifest.actionId,
    dumpedRestarts: manifest.restarts,
    moved,
    shared,
    outputs: outputsOf(manifest, shared),
    phase: 'preparing',
    task: null,
  };
  await runs.write(run);
  const { first, last } = rollbacksOf(manifest, run);
  const tag = tagOf(jobId, restarts);
  const answer = await afterOthers(parts, run, manifest, [
    ...leftovers(run),
    { op: 'roll-back', tag, files: [...first, ...last], change: false },
    { op: 'set-aside', tag, outputs: run.outputs },
  ]);
  if (!answer.ok) return failed(answer.message);
  for (const note of answer.notes) log.warn({ job_id: jobId, restarts }, note);
  const prepared: StartedRun = { ...run, phase: 'prepared' };
  await runs.write(prepared);
  const options = manifest.criu?.restoreOptions ?? [];
  return {
    type: 'restore',
    argv: restoreArgv({ ...config, ...ready, rootPid: manifest.rootPid, options }),
    run: prepared,
  };
}

const MOST_LEFTOVERS = 20;

/** A run since the dump that nobody heard of again, perhaps on another node, may have left the output aside. */
function leftovers({ jobId, restarts, dumpedRestarts, outputs }: StartedRun): Operation[] {
  const least = Math.max(dumpedRestarts + 1, restarts - MOST_LEFTOVERS);
  return Array.from({ length: Math.max(0, restarts - least + 1) }, (_, index): Operation[] => {
    const tag = tagOf(jobId, least + index);
    // What slurmstepd made there is no run's any more, and other jobs would wait for it.
    return [
      { op: 'put-back', tag, outputs, left: true },
      { op: 'forget', tag, outputs },
    ];
  }).flat();
}
