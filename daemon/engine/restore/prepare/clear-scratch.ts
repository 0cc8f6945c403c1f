import type { Lanes } from '../../../system/lanes.ts';
import type { Exec } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { ownScratchOf } from '../../config/scratch.ts';
import type { Manifest } from '../../manifest.ts';
import type { Owner } from '../../owner/owner.ts';
import { withOwnersRights } from '../../owner/with-owners-rights.ts';
import type { Verdict } from '../../ports.ts';

const TIMEOUT_MS: Millis = 10 * 60_000;
/** Folders that the job made read-only keep what is in them otherwise. */
const SCRIPT =
  'find "$@" -xdev -type d ! -perm -u=rwx -exec chmod u+rwx {} +; exec find "$@" -xdev -mindepth 1 -delete';

/**
 * A job that comes back to a node finds there what it left, long since removed or renamed elsewhere. Where a scratch
 * folder is the job's alone it is emptied before the checkpoint's files come, with the owner's rights and without
 * following a link. `inside`: a process in whose mount namespace the paths are meant.
 */
export async function clearScratch(
  {
    exec,
    lanes,
    scratch,
  }: { readonly exec: Exec; readonly lanes: Lanes; readonly scratch: readonly string[] },
  owner: Owner,
  { jobId, carried }: Pick<Manifest, 'jobId' | 'carried'>,
  inside: number | null,
): Promise<Verdict> {
  // Only those that the checkpoint has: the configuration may have changed since.
  const folders = ownScratchOf(scratch, jobId).filter((folder) => carried.includes(folder));
  if (folders.length === 0) return { ok: true };
  const command = withOwnersRights(owner, ['/bin/sh', '-c', SCRIPT, 'sh', ...folders], inside);
  const result = await lanes.with((lane) =>
    exec.run({ kind: `clear-${lane}`, file: command[0]!, args: command.slice(1), timeoutMs: TIMEOUT_MS }),
  );
  // What find cannot do it says by its exit status: not there at all, or another user's file in the folder.
  if (result.ok || result.why === 'exit') return { ok: true };
  return { ok: false, message: `its scratch folders cannot be emptied: ${result.message}` };
}
