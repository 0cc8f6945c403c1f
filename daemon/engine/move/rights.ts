import { Momentary } from '../dump/momentary.ts';
import type { Staging } from '../dump/staging.ts';
import { whyMoreRights } from '../images/creds.ts';
import type { RunningJob } from '../job/find-job.ts';
import { SourceError } from './source.ts';

/**
 * Nobody may get rights by a move: what CRIU wrote down has to be within what the kernel says of the job's first process.
 * A program with rights of its own (set-group-id, file capabilities) may run in that moment. @throws SourceError
 */
export async function mustHaveOwnersRights({ facts, tree }: RunningJob, { images }: Staging): Promise<void> {
  const { gid, groups, inheritable, permitted, noNewPrivs } = tree.root;
  const gids = new Set([gid, ...groups]);
  const why = await whyMoreRights(images, { uid: facts.uid, gids, inheritable, permitted, noNewPrivs });
  if (why !== null) throw new SourceError(why, { cause: new Momentary(why) });
}
