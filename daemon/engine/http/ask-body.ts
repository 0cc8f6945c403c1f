import {
  CHECKPOINT_KINDS,
  type CheckpointKind,
  type CheckpointReason,
  type JobId,
  type RestoreReason,
} from '../../vocabulary/job.ts';
import { refusal } from './route.ts';

type Body = Readonly<Record<string, unknown>>;

const CHECKPOINT_REASONS: readonly CheckpointReason[] = ['heartbeat', 'manual'];
const RESTORE_REASONS: readonly RestoreReason[] = ['nodeTermination', 'nodeUnschedulable', 'manual'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * `CheckpointSlurmJob`: every field may be left out or null. Without `kind` it is `simple`, without `reason`
 * `manual`; `action_id` is read-only, and `job_name` is Slurm's to say. RequestError 404 without a job, 400 for
 * what is outside the schema.
 */
export function readCheckpointBody(body: Body): {
  readonly jobId: JobId;
  readonly kind: CheckpointKind;
  readonly reason: CheckpointReason;
} {
  const kind = oneOf(body, 'kind', CHECKPOINT_KINDS) ?? 'simple';
  const reason = oneOf(body, 'reason', CHECKPOINT_REASONS) ?? 'manual';
  textOrNone(body, 'job_name');
  const jobId = textOrNone(body, 'job_id');
  if (jobId === null) throw refusal(404, 'job_id is missing: which job is to be checkpointed?');
  if (!/^[1-9]\d{0,9}$/.test(jobId) || Number(jobId) > 0xffff_ffff) {
    const said = JSON.stringify(jobId.slice(0, 40));
    throw refusal(
      404,
      `there is no job ${said}: a job id is a number, for an array task its own one (squeue -o %A)`,
    );
  }
  return { jobId: Number(jobId), kind, reason };
}

/** `RestoreSlurmJob`: all three are required. RequestError 400 for what is outside the schema. */
export function readRestoreBody(body: Body): {
  readonly actionId: string;
  readonly clusterId: string;
  readonly reason: RestoreReason;
} {
  const required = (name: string): string => {
    const value = textOrNone(body, name);
    if (value === null) throw refusal(400, `${name} is missing`);
    return value;
  };
  const actionId = required('action_id');
  const clusterId = required('cluster_id');
  const reason = oneOf(body, 'reason', RESTORE_REASONS);
  if (reason === null) throw refusal(400, 'reason is missing');
  return { actionId: actionId.toLowerCase(), clusterId: clusterId.toLowerCase(), reason };
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

function textOrNone(body: Body, name: string): string | null {
  const value = body[name] ?? null;
  if (value === null || typeof value === 'string') return value;
  throw refusal(400, `${name} must be a string`);
}

function oneOf<const Word extends string>(body: Body, name: string, words: readonly Word[]): Word | null {
  const said = textOrNone(body, name);
  if (said === null) return null;
  const known = words.find((word) => word === said);
  if (known === undefined) throw refusal(400, `${name} must be one of ${words.join(', ')}`);
  return known;
}
