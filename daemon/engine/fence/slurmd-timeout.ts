import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { confCommand, readConf } from '../../slurm/conf.ts';
import { backoff } from '../../system/async/backoff.ts';
import { placeOf } from '../../system/node-phase.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { FencePorts } from './ports.ts';

/** Slurm's own default, until slurmctld has ever said what holds. */
const DEFAULT_MS: Millis = 300_000;
/** An admin may change it: one RPC. */
const EVERY_MS: Millis = 3_600_000;

/** How long Slurm waits before it gives this node up; 0: it never does. */
export interface SlurmdTimeout {
  now(): Millis;
  /** Whether slurmctld has ever said so. */
  isKnown(): boolean;
  /** Asks slurmctld, if that is due. Never rejects. */
  refresh(signal: AbortSignal): Promise<void>;
}

/** What was said last is kept until the next boot: an engine may be started on a node that is cut off. */
export function slurmdTimeout(ports: FencePorts): SlurmdTimeout {
  const { config, exec, slurm, clock, log } = ports;
  const names = { node: config.slurm.node, host: hostname().split('.')[0]! };
  const path = join(config.runDir, 'slurmd-timeout');
  let known: Millis | null = null;
  let dueAt: EpochMs = 0;
  let failures = 0;

  function keep(value: Millis): void {
    if (known === value) return;
    known = value;
    try {
      writeFileSync(`${path}.new`, `${value}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      log.warn({ err: error }, `${path} cannot be written: ${(error as Error).message}`);
    }
  }

  function recall(): Millis | null {
    try {
      const text = readFileSync(path, 'latin1');
      return /^\d{1,9}\n$/.test(text) ? Number(text) : null;
    } catch {
      return null;
    }
  }

  return {
    now: () => known ?? DEFAULT_MS,
    isKnown: () => known !== null,
    async refresh(signal) {
      if (clock.now() < dueAt) return;
      const command = { ...confCommand(slurm), kind: 'fence-config' };
      const read = readConf(await exec.run(command, signal), names);
      if (read.type === 'conf') {
        keep(read.conf.slurmdTimeoutMs ?? DEFAULT_MS);
        failures = 0;
        dueAt = clock.now() + EVERY_MS;
        return;
      }
      known ??= recall();
      dueAt = clock.now() + backoff(failures++, placeOf(names.node), 5_000);
    },
  };
}
