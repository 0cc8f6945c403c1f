import type { Lanes } from '../../system/lanes.ts';
import type { Exec } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Access } from '../job/kernel-file.ts';
import type { Verdict } from '../ports.ts';
import type { Owner } from './run.ts';

/** Something that a restored process holds. */
export interface Held {
  /** Its bytes, one character each (latin1): names need not be UTF-8. */
  readonly path: string;
  /** As fstat has them, decimal. */
  readonly dev: string;
  readonly ino: string;
  /** What it was opened for; `path`: to be there, or to be a working directory; `run`: to be read, or executed. */
  readonly access: Access;
}

/**
 * Whether an owner could have opened each of these himself. `inside`: a process in whose mount and pid namespaces the
 * paths are meant; null: this one's. Never rejects.
 */
export type Identify = (owner: Owner, held: readonly Held[], inside: number | null) => Promise<Verdict>;

/** CRIU waits a minute. */
const TIMEOUT_MS: Millis = 50_000;

/**
 * By `ckptd-criu identify` (hooks/criu/identify.h): the restored job waits for the answer, and starting Node in its
 * namespaces would take longer than CRIU took to restore a small one.
 */
export function identifier(exec: Exec, lanes: Lanes, helper: string): Identify {
  return (owner, held, inside) =>
    lanes.with(async (lane) => {
      const numbers = [
        ['--uid', owner.uid],
        ['--gid', owner.gid],
        ...owner.groups.map((group) => ['--group', group]),
        ...(inside === null ? [] : [['--inside', inside]]),
      ];
      const entries = held.map(({ path, dev, ino, access }) => `${access} ${dev} ${ino} ${path}\0`);
      const result = await exec.run({
        kind: `identify-${lane}`,
        file: helper,
        args: ['identify', ...numbers.flat().map(String)],
        stdin: Buffer.from(entries.join(''), 'latin1'),
        timeoutMs: TIMEOUT_MS,
      });
      const said = result.stdout.toString('utf8');
      // It says how many it has looked at.
      if (result.ok && said === `ok ${held.length}\n`) return { ok: true };
      if (!result.ok && result.why === 'exit' && result.exitCode === 1 && said !== '')
        return { ok: false, message: `the job may not have ${said.slice(0, 2_000)}` };
      const why = result.ok ? `${helper} gave no answer` : result.message;
      return { ok: false, message: `what the job holds cannot be looked at: ${why}` };
    });
}
