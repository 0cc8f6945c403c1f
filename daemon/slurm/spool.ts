import { lstat, readdir, readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { JobId } from '../vocabulary/job.ts';

/** A job with a slurmstepd that listens on this node. */
export interface SpoolJob {
  readonly jobId: JobId;
  /**
   * Identifies this run by its sockets: another run of the same job id has others. Taken from the batch step, the
   * extern step, or the lowest other one.
   */
  readonly incarnation: string;
  /** Its batch script runs on this node. */
  readonly batch: boolean;
}

const BATCH_STEP = 4294967291;
/** Steps that live as long as the job does on this node, best first. */
const LASTING_STEPS = [BATCH_STEP, 4294967292];

/**
 * The jobs with a live stepd on `node`, by the sockets `<spool>/<node>_<job>.<step>` (with `.<component>` behind
 * for a step of a heterogeneous job). Costs no RPC. Throws the file system's error when the folder cannot be read.
 */
export async function spoolJobs(spoolDir: string, node: string): Promise<ReadonlyMap<JobId, SpoolJob>> {
  const sockets = (await readdir(spoolDir))
    .map((name) => readSocketName(name, node))
    .filter((socket) => socket !== null)
    .sort((a, b) => rank(a.step) - rank(b.step));
  const jobs = new Map<JobId, SpoolJob>();
  if (sockets.length === 0) return jobs;
  const bound = await boundPaths();
  for (const { name, jobId, step } of sockets) {
    if (jobs.has(jobId)) continue;
    const path = join(spoolDir, name);
    const incarnation = await incarnationOf(path);
    if (incarnation && (bound.has(path) || (await isListening(path))))
      jobs.set(jobId, { jobId, incarnation, batch: step === BATCH_STEP });
  }
  return jobs;
}

/** Numbers of the steps of a job that are alive on `node`, the batch and the extern step left out. */
export async function spoolSteps(spoolDir: string, node: string, jobId: JobId): Promise<number[]> {
  const sockets = (await readdir(spoolDir))
    .map((name) => readSocketName(name, node))
    .filter((socket) => socket?.jobId === jobId && !LASTING_STEPS.includes(socket.step));
  const bound = sockets.length > 0 ? await boundPaths() : new Set<string>();
  const steps: number[] = [];
  for (const socket of sockets) {
    const path = join(spoolDir, socket!.name);
    if (bound.has(path) || (await isListening(path))) steps.push(socket!.step);
  }
  return steps;
}

export interface SocketName {
  readonly name: string;
  readonly jobId: JobId;
  readonly step: number;
}

/** Null for a name that is no step socket of this node. A node's name may itself contain `_` and `.`. */
export function readSocketName(name: string, node: string): SocketName | null {
  if (!name.startsWith(`${node}_`)) return null;
  const parts = /^(\d{1,10})\.(\d{1,10})(?:\.\d{1,10})?$/.exec(name.slice(node.length + 1));
  return parts ? { name, jobId: Number(parts[1]), step: Number(parts[2]) } : null;
}

function rank(step: number): number {
  const place = LASTING_STEPS.indexOf(step);
  return place >= 0 ? place : LASTING_STEPS.length + step;
}

/** A stepd that was killed leaves its socket's file behind; the kernel's own list has only sockets in use. */
async function boundPaths(): Promise<ReadonlySet<string>> {
  const table = await readFile('/proc/net/unix', 'utf8').catch(() => '');
  return new Set(table.split('\n').map((line) => line.split(/\s+/).slice(7).join(' ')));
}

/** Null where it is gone, or no socket. */
async function incarnationOf(path: string): Promise<string | null> {
  const stats = await lstat(path, { bigint: true }).catch(() => null);
  return stats?.isSocket() ? `${stats.ino}:${stats.mtimeNs}` : null;
}

/**
 * For a socket that the kernel's list does not name under this path (a symbolic link in it, another network
 * namespace). A stepd that is there drops a connection that says nothing. Any other error than a refusal leaves
 * the job in place: it is Slurm that says when a job is over.
 */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const done = (listens: boolean) => {
      socket.destroy();
      resolve(listens);
    };
    socket.setTimeout(1_000, () => done(true));
    socket.on('connect', () => done(true));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      done(!['ECONNREFUSED', 'ENOENT'].includes(error.code ?? '')),
    );
  });
}
