import { type Effect, isNodeEffect } from '../vocabulary/effect.ts';
import type { JobId } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { performCheckpoint } from './checkpoint.ts';
import { performDrainNode, performUndrainNode } from './drain-node.ts';
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
      // It only reads a checkpoint's state, so it may be repeated.
      return ports.api.awaitReady(p.effect, p.signal);
    case 'restore':
      return performRestore(ports, { ...p, effect: p.effect });
    case 'guard':
      return performGuard(ports, { ...p, effect: p.effect });
    case 'end-source':
      return performEndSource(ports, { ...p, effect: p.effect });
    case 'drain-node':
      return performDrainNode(ports, { ...p, effect: p.effect });
    case 'undrain-node':
      return performUndrainNode(ports, { ...p, effect: p.effect });
  }
}

/** The key by which effects are serialised: a job for changes of its run, or the node. Null for other effects. */
export function orderKeyOf(effect: Effect): JobId | 'node' | null {
  if (isNodeEffect(effect)) return 'node';
  const changes = effect.kind === 'guard' || effect.kind === 'restore' || effect.kind === 'end-source';
  return changes ? effect.jobId : null;
}
