import type { Scenario } from './scenario.ts';

export interface Places {
  readonly url: string;
  readonly bin: string;
  readonly socket: string;
  /** The file that tells of a termination. */
  readonly notice: string;
  readonly stateDir: string;
  readonly group: string;
}

/** ckptd.yaml of a story: as quick as the configuration allows. */
export function daemonConfig(
  story: Scenario,
  { url, bin, socket, notice, stateDir, group }: Places,
): Record<string, unknown> {
  return {
    cluster_id: '0b7e1d3c-5a52-4c54-9c1e-3d0d6e3f2a10',
    api: { url, timeout: '1s' },
    slurm: { node: 'n1', bin, conf: '/dev/null', poll_node: '1s', rescan_jobs: '1s' },
    heartbeat: { every: '10m', splay: '0s', min_age: '0s' },
    restore: { source_job: story.sourceJob, final_checkpoint: story.finalCheckpoint },
    notices: story.cause.type === 'file' ? { providers: ['file'], file: notice } : { providers: [] },
    socket: { path: socket, group },
    state_dir: stateDir,
    log: { level: 'debug' },
  };
}
