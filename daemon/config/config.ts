import type { Millis } from '../vocabulary/job.ts';
import type { HeartbeatRule, JobRule, Policy } from '../vocabulary/policy.ts';
import type { NoticesConfig } from './notices-config.ts';
import type { ApiAddress } from './schema/api-url.ts';
import type { LOG_LEVELS } from './schema/file-schema.ts';
import type { Secret } from './secret.ts';

export type LogLevel = (typeof LOG_LEVELS)[number];

/** The whole configuration: checked, complete and frozen. Paths are absolute. */
export interface Config {
  /** A UUID in lower case. */
  readonly clusterId: string;
  readonly api: ApiAddress & {
    readonly tokenFile: string | null;
    /** What `CEDANA_AUTH_TOKEN` holds; null when there is a token file, which goes before it. */
    readonly token: Secret | null;
    /** PEM file of a private CA. */
    readonly caFile: string | null;
    /** Of one call. */
    readonly timeout: Millis;
  };
  readonly slurm: {
    /** This node's name in Slurm. */
    readonly node: string;
    /** Folder of squeue and its like. */
    readonly bin: string;
    /** slurm.conf. */
    readonly conf: string;
    readonly pollNode: Millis;
    readonly rescanJobs: Millis;
    readonly reconcile: Millis;
  };
  readonly heartbeat: HeartbeatRule & { readonly concurrency: number };
  /** As in the file, each with what it takes over from `heartbeat`. */
  readonly policies: readonly JobRule[];
  readonly restore: Policy['restore'];
  readonly notices: NoticesConfig;
  readonly socket: {
    readonly path: string;
    /** For chmod: 0o600. */
    readonly mode: number;
    readonly group: string;
  };
  readonly stateDir: string;
  readonly log: { readonly level: LogLevel };
}
