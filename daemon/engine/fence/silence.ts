import type { SlurmCommands } from '../../slurm/commands.ts';
import type { Command, CommandResult } from '../../system/ports.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';

/** What this node's own slurmd says of slurmctld. */
export type Hearing =
  /** `at`: its last message. Null: none since slurmd was started, at `since`. */
  | { readonly type: 'slurmd'; readonly at: EpochMs | null; readonly since: EpochMs }
  /** Nobody answers in slurmd's place: slurmctld cannot reach it either. */
  | { readonly type: 'dead'; readonly why: string }
  | { readonly type: 'unknown'; readonly why: string };

/** Asks the slurmd of this machine alone, with munge and without slurmctld. */
export function slurmdCommand(slurm: SlurmCommands, node: string): Command {
  return {
    kind: 'scontrol-slurmd',
    file: slurm.path('scontrol'),
    args: ['show', 'slurmd'],
    // Where several slurmd share a machine, Slurm goes by this name.
    env: { SLURMD_NODENAME: node },
    timeoutMs: slurm.timeoutMs,
  };
}

/**
 * `scontrol show slurmd`: lines of `Key = value`, with times as `SLURM_TIME_FORMAT=%s` has them
 * (`slurm_print_slurmd_status`, the same words from 2.x to 24.11; 24.11 was tried). A slurmd that is dead is
 * `Connection refused` at once, one that hangs a timeout.
 */
export function readSlurmd(result: CommandResult): Hearing {
  if (!result.ok) {
    const isDead = result.why === 'exit' || result.why === 'timeout' || result.why === 'signal';
    return isDead
      ? { type: 'dead', why: (result.stderr.split('\n')[0] || result.message).slice(0, 200) }
      : { type: 'unknown', why: result.message };
  }
  const text = result.stdout.toString('latin1');
  const value = (key: string) => new RegExp(`^${key} *= *(\\S+)$`, 'm').exec(text)?.[1] ?? '';
  const last = value('Last slurmctld msg time');
  const since = readSeconds(value('Boot time'));
  const at = readSeconds(last);
  if (since === null || (at === null && last !== 'NONE'))
    return { type: 'unknown', why: 'scontrol show slurmd does not say when slurmctld was last heard' };
  return { type: 'slurmd', at, since };
}

function readSeconds(text: string): EpochMs | null {
  return /^[1-9]\d{8,10}$/.test(text) ? Number(text) * 1000 : null;
}

/**
 * slurmctld pings a node that it has not heard for a third of SlurmdTimeout, in rounds of a third: two thirds may pass
 * on a healthy node (measured with 24.11: 6 and 7 s of 10). It gives a node up in the round after SlurmdTimeout, so
 * after four thirds at the earliest.
 */
export function isSilent(age: Millis, slurmdTimeoutMs: Millis): boolean {
  return age > (slurmdTimeoutMs * 5) / 6;
}
