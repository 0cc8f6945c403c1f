import type { JobRule } from '../vocabulary/policy.ts';
import type { Config } from './config.ts';
import { DEFAULT_HEARTBEAT, override } from './heartbeat-rule.ts';
import { resolveNotices } from './notices-config.ts';
import type { FileData } from './schema/file-schema.ts';
import type { Secret } from './secret.ts';

/** What a configuration needs beside its file, already checked. */
export interface Beside {
  readonly clusterId: string;
  readonly address: NonNullable<FileData['api']['url']>;
  readonly node: string;
  /** Of the environment. */
  readonly token: Secret | null;
}

/** The file's data in the daemon's words, with the defaults that depend on other keys. */
export function resolve(data: FileData, beside: Beside): Config {
  const { api, slurm, restore, notices, socket } = data;
  const heartbeat = override(DEFAULT_HEARTBEAT, data.heartbeat);
  return deepFreeze({
    clusterId: beside.clusterId,
    api: {
      ...beside.address,
      tokenFile: api.token_file ?? null,
      token: api.token_file === undefined ? beside.token : null,
      caFile: api.ca_file ?? null,
      timeout: api.timeout,
    },
    slurm: {
      node: beside.node,
      bin: slurm.bin,
      conf: slurm.conf,
      pollNode: slurm.poll_node,
      rescanJobs: slurm.rescan_jobs,
      reconcile: slurm.reconcile,
    },
    heartbeat: { ...heartbeat, concurrency: data.heartbeat.concurrency },
    policies: data.policies.map(
      (policy): JobRule => ({
        match: policy.match,
        enabled: policy.enabled,
        resume: policy.resume,
        heartbeat: override(heartbeat, policy.heartbeat),
      }),
    ),
    restore: {
      onDrain: restore.on_drain,
      onTermination: restore.on_termination,
      skipReasons: restore.skip_reasons,
      finalCheckpoint: restore.final_checkpoint,
      // The engine brings back the same job, so that there is no old one to end.
      sourceJob: restore.source_job ?? (beside.address.socketPath === null ? 'cancel' : 'leave'),
      concurrency: restore.concurrency,
      dryRun: restore.dry_run,
    },
    notices: resolveNotices(notices),
    socket,
    stateDir: data.state_dir,
    log: data.log,
  });
}

function deepFreeze<T>(value: T): T {
  if (Array.isArray(value) || Object.getPrototypeOf(value ?? 0) === Object.prototype) {
    for (const part of Object.values(value as object)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
