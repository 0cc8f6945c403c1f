import { join } from 'node:path';
import type { JobId } from '../../../vocabulary/job.ts';
import { StoreError } from '../../store-error.ts';

/*
 * <dir>/<cluster id>/                          root's own, private, and so is all below
 *     <job id>/<action id>/manifest.json …     a checkpoint
 *     <job id>/<action id>/deprecated          text: why it is not restored from any more
 *     <job id>/.new-<action id>/.writer        one that is being written, and by which node
 *     <job id>/order.json
 *     <job id>/run.json                        its newest run, and on which node
 *     .nodes/<node>/<job id>                   empty: that node has written for that job. What a node has to look
 *                                              after it finds here, without a scan of everybody's jobs
 *     .nodes/<node>/.trash/                    what that node is removing: out of sight by one rename
 */
const ACTION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NEW = '.new-';
const JOB_ID = /^[1-9]\d{0,9}$/;

export const MANIFEST = 'manifest.json';
export const ORDER = 'order.json';
export const RUN = 'run.json';
export const DEPRECATED = 'deprecated';
export const WRITER = '.writer';
export const TRASH = '.trash';

export interface Places {
  /** What the admin made. */
  readonly dir: string;
  readonly cluster: string;
  readonly nodes: string;
  node(node: string): string;
  job(jobId: JobId): string;
  checkpoint(jobId: JobId, actionId: string): string;
  halfWritten(jobId: JobId, actionId: string): string;
}

export function placesOf(dir: string, clusterId: string): Places {
  const cluster = join(dir, clusterId);
  const nodes = join(cluster, '.nodes');
  const job = (jobId: JobId) => join(cluster, String(jobId));
  return {
    dir,
    cluster,
    nodes,
    node: (node) => join(nodes, node),
    job,
    checkpoint: (jobId, actionId) => join(job(jobId), actionId),
    halfWritten: (jobId, actionId) => join(job(jobId), `${NEW}${actionId}`),
  };
}

export function isActionId(text: string): boolean {
  return ACTION_ID.test(text);
}

/** Ids come from HTTP and from other programs, and become parts of paths. @throws StoreError */
export function mustBeIds(jobId: JobId | null, actionId: string | null): void {
  if (jobId !== null && readJobName(String(jobId)) === null) throw new StoreError(`${jobId} is no job id`);
  if (actionId !== null && !isActionId(actionId)) {
    throw new StoreError(`${JSON.stringify(actionId.slice(0, 100))} is no action id`);
  }
}

/** The job of a folder's name, else null. */
export function readJobName(name: string): JobId | null {
  const jobId = JOB_ID.test(name) ? Number(name) : 0;
  return jobId > 0 && jobId <= 0xffff_ffff ? jobId : null;
}

/** The action id of the folder of a checkpoint that is being written, else null. */
export function readHalfWrittenName(name: string): string | null {
  const actionId = name.startsWith(NEW) ? name.slice(NEW.length) : '';
  return isActionId(actionId) ? actionId : null;
}
