import { accessSync, type BigIntStats, constants, lstatSync, statSync } from 'node:fs';
import type { Operation } from './protocol.ts';
import { Refused, reasonOf } from './refused.ts';

const NAMED = 3;

/**
 * Whether a job's Unix sockets may be made anew under their names. CRIU takes each name as the job gave it to bind(2),
 * perhaps in a mount namespace that is gone, and what is there now may be anybody's. The folder must be the owner's to
 * write to, and what has the name a socket of theirs. What holds that up to the very call is hooks/criu/sockets.h.
 */
export function mayBind({ sockets, peers }: Extract<Operation, { op: 'may-bind' }>): string[] {
  const wrong = [
    ...sockets.flatMap((name) => naming(name, whyNotBind)),
    ...peers.flatMap((name) => naming(name, whyNotConnect)),
  ];
  if (wrong.length === 0) return [];
  const more = wrong.length > NAMED ? ` and ${wrong.length - NAMED} more` : '';
  throw new Refused(`the job may not have the socket ${wrong.slice(0, NAMED).join('; ')}${more}`);
}

function naming(name: string, whyNot: (path: Buffer) => string | null): string[] {
  const path = Buffer.from(name, 'latin1');
  const why = whyNot(path);
  return why === null ? [] : [`${JSON.stringify(path.toString('utf8'))}: ${why}`];
}

function whyNotBind(path: Buffer): string | null {
  const why = whyNotIn(folderOf(path));
  if (why !== null) return why;
  let there: BigIntStats;
  try {
    there = lstatSync(path, { bigint: true });
  } catch (error) {
    return isMissing(error) ? null : reasonOf(error);
  }
  if (!there.isSocket()) return 'what is there is no socket';
  if (Number(there.uid) !== process.geteuid?.()) return `a socket of uid ${there.uid} is there`;
  return null;
}

/** Of a deleted socket, CRIU makes the folders too that are not there any more. */
function whyNotIn(folder: Buffer): string | null {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    if (isMissing(error) && folder.length > 1) return whyNotIn(folderOf(folder));
    return `${folder.toString('utf8')}: ${reasonOf(error)}`;
  }
}

function whyNotConnect(path: Buffer): string | null {
  try {
    if (!statSync(path).isSocket()) return 'what is there is no socket';
    accessSync(path, constants.W_OK);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Absolute, as `path` is. */
function folderOf(path: Buffer): Buffer {
  return path.subarray(0, Math.max(path.lastIndexOf(0x2f), 1));
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';
