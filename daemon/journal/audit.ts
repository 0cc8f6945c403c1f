import { isNodeEffect } from '../vocabulary/effect.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import { runKey } from '../vocabulary/job.ts';
import type { HistoryLine } from './entries.ts';

export type NewLine = Omit<HistoryLine, 'seq'>;

/** Longest text of Slurm's or a server's in a line; names and reasons may be long, and the log is bounded by rows. */
const MAX_TEXT = 200;

/** These leave a line even where the state stays as it was: somebody was told that they are in the journal. */
const ALWAYS: ReadonlySet<DaemonEvent['type']> = new Set([
  'prolog',
  'epilog',
  'ask-checkpoint',
  'ask-restore',
  'ask-notice',
  'ask-withdraw',
]);

export function mustBeOnRecord(event: DaemonEvent): boolean {
  return ALWAYS.has(event.type);
}

/** The line that an event leaves when `decide` had nothing to say about it. */
export function eventLine(event: DaemonEvent): NewLine {
  const line = { at: event.at, kind: event.type, jobId: null, run: null, message: event.type, details: {} };
  switch (event.type) {
    case 'prolog':
    case 'epilog': {
      const details = event.type === 'prolog' ? { override: event.override } : {};
      const run = runKey(event.jobId, event.restarts);
      return { ...line, jobId: event.jobId, run, message: `${event.type} ran on this node`, details };
    }
    case 'job': {
      const { jobId, restarts, state, batchHost, nodes } = event.facts;
      const details = { batchHost, nodes: nodes.length };
      return { ...line, jobId, run: runKey(jobId, restarts), message: `job is ${clip(state)}`, details };
    }
    case 'job-absent':
      return { ...line, jobId: event.jobId, message: 'Slurm knows no such job' };
    case 'node': {
      const { node, base, flags, reason } = event.facts;
      return {
        ...line,
        message: `node ${clip(node)} is ${clip([base, ...flags].join('+'))}`,
        details: { reason: clip(reason) },
      };
    }
    case 'settled': {
      const { effect, outcome } = event;
      const why = 'message' in outcome ? { why: clip(outcome.message) } : {};
      return {
        ...line,
        ...(isNodeEffect(effect) ? {} : { jobId: effect.jobId, run: runKey(effect.jobId, effect.restarts) }),
        message: `${effect.kind}: ${outcome.type}`,
        details: { effectId: effect.id, ...why },
      };
    }
    case 'ask-checkpoint':
      return {
        ...line,
        jobId: event.jobId,
        message: 'checkpoint asked for by hand',
        details: { kind: event.kind },
      };
    case 'ask-restore':
      return {
        ...line,
        jobId: event.jobId,
        message: 'restore asked for by hand',
        details: { actionId: event.actionId },
      };
    case 'notices-heard':
      return { ...line, message: 'every source of notices has spoken' };
    case 'notices':
      return { ...line, message: `${clip(event.source)} has ${event.standing.length} notices` };
    case 'ask-notice': {
      const { id, kind, deadline, dryRun } = event.notice;
      return { ...line, message: 'notice given by hand', details: { id, kind, deadline, dryRun } };
    }
    case 'ask-withdraw':
      return {
        ...line,
        message: 'notice taken back by hand',
        details: { id: clip(event.noticeId) },
      };
    case 'slot':
      return { ...line, message: `schedule ${clip(event.schedule)} fired` };
    case 'started':
    case 'tick':
      return line;
  }
}

function clip(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}
