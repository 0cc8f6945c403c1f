import type { Lanes } from '../../system/lanes.ts';
import type { Exec } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Owner } from './owner.ts';
import type { Answer, Identity, Operation } from './protocol.ts';

/** Does something to files with an owner's rights, and resolves to what became of it. Never rejects. */
export type AsOwner = (
  owner: Owner,
  operations: readonly Operation[],
  /** A process in whose mount and pid namespaces the paths are meant; null: this one's. */
  inside?: number | null,
) => Promise<Answer>;

/** A thousand files are a matter of milliseconds; a file system that hangs is not waited for any longer. */
export const TIMEOUT_MS: Millis = 120_000;

/** One process an ask. */
export function asOwner(exec: Exec, lanes: Lanes, program: string): AsOwner {
  return (owner, operations, inside = null) =>
    lanes.with(async (lane) => {
      const node = [process.execPath, program];
      const [file, ...args] =
        inside === null
          ? node
          : ['/usr/bin/nsenter', '--target', String(inside), '--mount', '--pid', '--', ...node];
      const result = await exec.run({
        kind: `as-owner-${lane}`,
        file: file!,
        args,
        stdin: Buffer.from(`${identityOf(owner)}\n${JSON.stringify(operations)}\n`),
        timeoutMs: TIMEOUT_MS,
      });
      if (!result.ok) return { ok: false, message: `the job's files cannot be changed: ${result.message}` };
      return readAnswer(result.stdout.toString('utf8'));
    });
}

/** The first line of its input. */
export function identityOf({ uid, gid, groups }: Owner): string {
  return JSON.stringify({ uid, gid, groups } satisfies Identity);
}

/** A line of its output. */
export function readAnswer(line: string): Answer {
  try {
    const answer = JSON.parse(line) as {
      ok?: unknown;
      notes?: unknown;
      message?: unknown;
      busy?: unknown;
    };
    if (answer.ok === true && Array.isArray(answer.notes))
      return { ok: true, notes: answer.notes.map(String) };
    if (answer.ok === false && typeof answer.message === 'string')
      return {
        ok: false,
        message: answer.message.slice(0, 2_000),
        ...(answer.busy === true && { busy: true }),
      };
  } catch {
    // Below.
  }
  return { ok: false, message: 'ckptd-as-owner gave no answer' };
}

/** The supplementary groups of a user, by the same names that slurmstepd goes by; none where nobody knows him. */
export async function groupsOf(exec: Exec, uid: number, gid: number): Promise<number[]> {
  const result = await exec.run({
    kind: 'id',
    file: '/usr/bin/id',
    args: ['-G', '--', `+${uid}`],
    timeoutMs: 10_000,
  });
  const text = result.ok ? result.stdout.toString('latin1').trim() : '';
  const ids = /^\d{1,10}( \d{1,10})*$/.test(text) ? text.split(' ').map(Number) : [];
  return ids.filter((id) => id !== gid);
}
