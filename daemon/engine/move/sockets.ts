import { Momentary } from '../dump/momentary.ts';
import type { Staging } from '../dump/staging.ts';
import { namedPaths } from '../images/named-paths.ts';
import { entryToJob } from '../job/enter.ts';
import type { RunningJob } from '../job/find-job.ts';
import { asOwner, groupsOf } from '../start/as-owner.ts';
import { whyInFlight } from '../start/guards.ts';
import { mayBind } from '../start/run.ts';
import { type Source, SourceError } from './source.ts';

/**
 * What the next node would refuse is refused here, where the job still runs: sockets under names at which its owner
 * could not have made them, and descriptors on their way over one. @throws SourceError
 */
export async function mustMayBind(source: Source, job: RunningJob, { images }: Staging): Promise<void> {
  const { exec, dumper, config, proc } = source;
  const { root } = job.tree;
  const names = await namedPaths(images).catch((error: Error) => error.message);
  if (typeof names === 'string') throw new SourceError(`CRIU's images cannot be read: ${names}`);
  if (names.unfit !== null) throw new SourceError(`${names.unfit}, which cannot be restored`);
  const why = await whyInFlight(images);
  if (why !== null) throw new SourceError(why, { cause: new Momentary(why) });
  const { sockets, peers } = names;
  if (sockets.length + peers.length === 0) return;
  const { uid } = job.facts;
  const owner = { uid, gid: root.gid, groups: await groupsOf(exec, uid, root.gid) };
  const entry = await entryToJob(proc, job.tree);
  if (!entry.ok)
    throw new SourceError(`the names of the job's sockets cannot be looked at: ${entry.message}`);
  const act = asOwner(exec, dumper.lanes, config.asOwner);
  const answer = await act(owner, mayBind({ sockets, peers }), entry.inside);
  if (!answer.ok) throw new SourceError(answer.message);
}
