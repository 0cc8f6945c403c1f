import type { EnginePorts, Found } from '../ports.ts';

/**
 * A run that begins anew overwrites what the checkpoints of the runs before it go on from. Never rejects; false: one
 * of them could not be deprecated, and the log says why.
 */
export async function retire(
  { store, log }: Pick<EnginePorts, 'store' | 'log'>,
  { jobId, restarts }: { readonly jobId: number; readonly restarts: number },
  checkpoints: readonly Found[],
): Promise<boolean> {
  const older = checkpoints.filter(
    ({ manifest, deprecated }) => deprecated === null && manifest.restarts < restarts,
  );
  let all = true;
  for (const { manifest } of older) {
    const why = `job ${jobId} began anew as restart ${restarts}: this does not fit its files any more`;
    await store.deprecate(manifest.actionId, why).catch((error: unknown) => {
      all = false;
      log.error(
        { job_id: jobId, action_id: manifest.actionId, err: error },
        'a checkpoint cannot be deprecated',
      );
    });
  }
  return all;
}
