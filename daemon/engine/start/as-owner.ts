import type { Lanes } from '../../system/lanes.ts';
import type { Exec } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Answer, Operation, Request } from '../as-owner/protocol.ts';
import type { Owner } from './run.ts';

/** Does something to files with an owner's rights, and resolves to what became of it. Never rejects. */
export type AsOwner = (
  owner: Owner,
  operations: readonly Operation[],
  /** A process in whose mount and pid namespaces the paths are meant; null: this one's. */
  inside?: number | null,
) => Promise<Answer>;

/** A thousand files are a matter of milliseconds; a file system that hangs is not waited for any longer. */
const TIMEOUT_MS: Millis = 120_000;

export function asOwner(exec: Exec, lanes: Lanes, program: string): AsOwner {
  return (owner, operations, inside = null) =>
    lanes.with(async (lane) => {
      const node = [process.execPath, program];
      const [file, ...args] =
        inside === null
          ? node
          : ['/usr/bin/nsenter', '--target', String(inside), '--mount', '--pid', '--', ...node];
      const request: Request = { ...owner, operations };
      const result = await exec.run({
        kind: `as-owner-${lane}`,
        file: file!,
        args,
        stdin: Buffer.from(JSON.stringify(request)),
        timeoutMs: TIMEOUT_MS,
      });
      if (!result.ok) return { ok: false, message: `the job's files cannot be changed: ${result.message}` };
      return readAnswer(result.stdout);
    });
}

function readAnswer(stdout: Buffer): Answer {
  try {
    const answer = JSON.parse(stdout.toString('utf8')) as {
      ok?: unknown;
      notes?: unknown;
      message?: unknown;
    };
    if (answer.ok === true && Array.isArray(answer.notes))
      return { ok: true, notes: answer.notes.map(String) };
    if (answer.ok === false && typeof answer.message === 'string')
      return { ok: false, message: answer.message.slice(0, 2_000) };
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
