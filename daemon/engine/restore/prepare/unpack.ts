import { open } from 'node:fs/promises';
import type { Lanes } from '../../../system/lanes.ts';
import type { Exec } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { Owner } from '../../owner/owner.ts';
import { withOwnersRights } from '../../owner/with-owners-rights.ts';
import type { Verdict } from '../../ports.ts';

const TIMEOUT_MS: Millis = 10 * 60_000;

/**
 * Puts a job's node-local files where they were, with its owner's rights: whatever the archive or the folders
 * lead to, it is nothing that the owner could not have written. The archive is root's, and comes as stdin.
 * Without an archive there is nothing to do. `inside`: a process in whose mount namespace the paths are meant.
 */
export async function unpack(
  exec: Exec,
  lanes: Lanes,
  owner: Owner,
  archive: string | null,
  inside: number | null,
): Promise<Verdict> {
  if (archive === null) return { ok: true };
  await using file = await open(archive, 'r');
  const tar = [
    '/usr/bin/tar',
    '--extract',
    '--file=-',
    '--directory=/',
    '--no-same-owner',
    '--preserve-permissions',
    // Of folders that are there already nothing changes. Files are made anew: nothing is written through a link.
    '--no-overwrite-dir',
    '--delay-directory-restore',
    '--numeric-owner',
  ];
  const command = withOwnersRights(owner, tar, inside);
  const result = await lanes.with((lane) =>
    exec.run({
      kind: `unpack-${lane}`,
      file: command[0]!,
      args: command.slice(1),
      stdin: file.fd,
      timeoutMs: TIMEOUT_MS,
    }),
  );
  return result.ok
    ? { ok: true }
    : { ok: false, message: `its node-local files cannot be put back: ${result.message}` };
}
