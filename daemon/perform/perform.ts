import type { Effect } from '../vocabulary/effect.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { performAwaitReady, performCheckpoint } from './checkpoint.ts';
import type { Performance, PerformPorts } from './ports.ts';
import { performRestore } from './restore.ts';
import { performEndSource, performGuard } from './slurm-effects.ts';

/**
 * Performs one effect to its end. Expected failures are outcomes.
 *
 * @throws the signal's reason when the process ends before the effect does.
 */
export function perform(ports: PerformPorts, p: Performance): Promise<Outcome> {
  switch (p.effect.kind) {
    case 'checkpoint':
      return performCheckpoint(ports, { ...p, effect: p.effect });
    case 'await-ready':
      return performAwaitReady(ports, { ...p, effect: p.effect });
    case 'restore':
      return performRestore(ports, { ...p, effect: p.effect });
    case 'guard':
      return performGuard(ports, { ...p, effect: p.effect });
    case 'end-source':
      return performEndSource(ports, { ...p, effect: p.effect });
  }
}

/** Effects that change a run in Slurm are performed one after the other for each job. */
export function isOrdered(effect: Effect): boolean {
  return effect.kind === 'guard' || effect.kind === 'restore' || effect.kind === 'end-source';
}
