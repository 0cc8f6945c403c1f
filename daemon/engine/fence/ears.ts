import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { FencePorts } from './ports.ts';
import { isSilent, readSlurmd, slurmdCommand } from './silence.ts';

export interface Heard {
  readonly silent: boolean;
  /** Since slurmctld was last heard here, as far as this engine knows. */
  readonly age: Millis;
  readonly why: string;
}

/** Listens for slurmctld through this node's slurmd, without asking slurmctld anything. */
export interface Ears {
  listen(slurmdTimeoutMs: Millis, signal: AbortSignal): Promise<Heard>;
}

export function createEars({ exec, slurm, config, clock, log }: FencePorts): Ears {
  let heardAt: EpochMs | null = null;
  let said = false;
  return {
    async listen(slurmdTimeoutMs, signal) {
      const hearing = readSlurmd(await exec.run(slurmdCommand(slurm, config.slurm.node), signal));
      const now = clock.now();
      if (hearing.type === 'unknown') {
        if (!said && !signal.aborted)
          log.warn(
            { problem: hearing.why },
            'whether slurmctld hears this node is not known: taken for granted',
          );
        said = true;
        heardAt = now;
        return { silent: false, age: 0, why: hearing.why };
      }
      // A slurmd that was just started has not heard anything yet; what the one before it heard still counts.
      if (hearing.type === 'slurmd') heardAt = hearing.at ?? heardAt ?? hearing.since;
      heardAt ??= now;
      const age = Math.max(0, now - heardAt);
      if (hearing.type === 'dead')
        return { silent: true, age, why: `slurmd does not answer: ${hearing.why}` };
      const why = `slurmctld was last heard ${Math.round(age / 1000)} s ago`;
      return { silent: isSilent(age, slurmdTimeoutMs), age, why };
    },
  };
}
