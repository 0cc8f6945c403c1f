import { randomUUID } from 'node:crypto';
import type { Journal } from '../journal/journal.ts';
import { onFirstNode } from '../slurm/first-node.ts';
import { makeNotice } from '../sources/notices/notice.ts';
import type { SocketHandlers } from '../sources/socket/handlers.ts';
import type { Clock } from '../system/ports.ts';
import type { JobId } from '../vocabulary/job.ts';
import { isUrgent } from './is-urgent.ts';
import type { Loop } from './loop.ts';
import type { Requests } from './requests.ts';
import { historyView, jobsView, noticesView } from './views.ts';

export interface HandlerPorts {
  readonly loop: Loop;
  readonly journal: Journal;
  readonly requests: Requests;
  readonly clock: Clock;
  /** Queries Slurm now about a job that a hook reported; otherwise the next scan of the node does. */
  readonly hint: (jobId: JobId) => void;
  readonly status: () => object;
  readonly metrics: () => string;
  readonly healthy: () => { ok: boolean; message: string };
}

/** The socket's handlers: each hook, and each request by hand, becomes an event. */
export function socketHandlers(ports: HandlerPorts): SocketHandlers {
  const { loop, clock, requests } = ports;
  /** The hooks of a job run on all its nodes in one moment, and not all of them may query slurmctld. */
  const hint = (jobId: JobId, env: Readonly<Record<string, string>>) => {
    if (onFirstNode(env) || isUrgent(loop.state)) ports.hint(jobId);
  };
  /** A 202 promises that the event is in the journal. Without the journal the event still counts. */
  const durable = () => {
    if (loop.journalFailing) throw new Error('the journal cannot be written');
  };
  return {
    async prolog({ jobId, restarts, override, env }) {
      loop.handle({ type: 'prolog', at: clock.now(), jobId, restarts, override });
      hint(jobId, env);
      durable();
    },
    async epilog({ jobId, restarts, env }) {
      loop.handle({ type: 'epilog', at: clock.now(), jobId, restarts });
      hint(jobId, env);
      durable();
    },
    checkpoint(jobId, kind, signal) {
      const requestId = randomUUID();
      const answer = requests.wait(requestId, signal);
      loop.handle({ type: 'ask-checkpoint', at: clock.now(), jobId, kind, requestId });
      return answer;
    },
    restore(jobId, actionId, signal) {
      const requestId = randomUUID();
      const answer = requests.wait(requestId, signal);
      loop.handle({ type: 'ask-restore', at: clock.now(), jobId, actionId, requestId });
      return answer;
    },
    notice({ deadline, inMs, ...wish }, signal) {
      const requestId = randomUUID();
      const answer = requests.wait(requestId, signal);
      const at = clock.now();
      const notice = makeNotice({
        ...wish,
        source: 'socket',
        name: requestId,
        deadline: inMs === null ? deadline : at + inMs,
      });
      loop.handle({ type: 'ask-notice', at, notice, requestId });
      return answer;
    },
    withdraw(noticeId, signal) {
      const requestId = randomUUID();
      const answer = requests.wait(requestId, signal);
      loop.handle({ type: 'ask-withdraw', at: clock.now(), noticeId, requestId });
      return answer;
    },
    notices: () => noticesView(loop.state.notices),
    status: ports.status,
    jobs: () => jobsView(loop.state),
    history: (query) => historyView(ports.journal.history(query)),
    metrics: ports.metrics,
    healthy: ports.healthy,
  };
}
