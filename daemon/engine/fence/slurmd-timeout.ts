import { readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { confCommand, readConf } from '../../sources/slurm/conf.ts';
import { placeOf } from '../../sources/slurm/phase.ts';
import { backoff } from '../../system/backoff.ts';
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

  async function keep(value: Millis): Promise<void> {
    if (known === value) return;
    known = value;
    try {
      await writeFile(`${path}.new`, `${value}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (error) {
      log.warn({ err: error }, `${path} cannot be written: ${(error as Error).message}`);
    }
  }

  async function recall(): Promise<Millis | null> {
    const text = await readFile(path, 'latin1').catch(() => '');
    return /^\d{1,9}\n$/.test(text) ? Number(text) : null;
  }

  return {
    now: () => known ?? DEFAULT_MS,
    isKnown: () => known !== null,
    async refresh(signal) {
      if (clock.now() < dueAt) return;
      const command = { ...confCommand(slurm), kind: 'fence-config' };
      const read = readConf(await exec.run(command, signal), names);
      if (read.type === 'conf') {
        await keep(read.conf.slurmdTimeoutMs ?? DEFAULT_MS);
        failures = 0;
        dueAt = clock.now() + EVERY_MS;
        return;
      }
      known ??= await recall();
      dueAt = clock.now() + backoff(failures++, placeOf(names.node), 5_000);
    },
  };
}
