/*
 * What changes state: `Table` has one work a job and the status of what is under way; on disk there are a staging
 * folder a dump, and a marker a job that is stopped. Every work ends with both gone, whatever happens: the processes
 * run on, or Slurm has taken the job and they are dead. An engine that is killed in between is followed by one that
 * recovers (migrate/recover.ts).
 */
import type { JobId } from '../vocabulary/job.ts';
import { checkpoint } from './checkpoint/checkpoint.ts';
import { createSource, type SourceParts } from './checkpoint/create-source.ts';
import { lockJob } from './checkpoint/job-lock.ts';
import { Table } from './checkpoint/table.ts';
import { recover } from './migrate/recover.ts';
import { findNamed, logged, restore } from './migrate/restore.ts';
import type { Checkpointer, EnginePorts, RestoreAnswer } from './ports.ts';

/** The source's side of the engine. `parts` are for tests. */
export function createCheckpointer(ports: EnginePorts, parts: SourceParts = {}): Checkpointer {
  const table = new Table();
  const source = createSource(ports, parts);
  const restores = new Map<JobId, Promise<RestoreAnswer>>();
  return {
    checkpoint: (ask) => checkpoint(source, table, ask),
    status: (actionId) => table.status(actionId),
    async restore(ask) {
      const named = await findNamed(source, ask);
      if ('ok' in named) return named;
      const { jobId } = named.manifest;
      const underWay = restores.get(jobId);
      if (underWay) return underWay;
      const answer = restore(source, table, named, ask).finally(() => restores.delete(jobId));
      restores.set(jobId, answer);
      return answer;
    },
    lockJob: (jobId, what, withinMs) => lockJob(ports.clock, table, { jobId, what, withinMs }),
    recover: () =>
      recover(source, {
        background(jobId, task) {
          const free = jobId === null ? () => {} : table.take(jobId, 'what an engine before this one began');
          table.background(logged(source, jobId, task).finally(free));
        },
        lost: (actionId) =>
          table.failed(actionId, 'the engine ended while it was being taken: ask for another'),
      }),
    async [Symbol.asyncDispose]() {
      // Each lets its job go on where it is, unless Slurm has taken it already.
      await Promise.allSettled(restores.values());
      await table.idle();
    },
  };
}
