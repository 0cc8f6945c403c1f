import { readJobId } from '../../http/job-id.ts';
import { type Reply, RequestError } from '../../http/reply.ts';
import type { Log } from '../../system/ports.ts';
import { CHECKPOINT_KINDS } from '../../vocabulary/job.ts';
import { EXPOSITION_TYPE } from './exposition.ts';
import type { SocketHandlers } from './handlers.ts';
import { readHookBody } from './hook-body.ts';
import { readNoticeBody, readNoticeId } from './notice-body.ts';
import { readKind, readOverride } from './override.ts';

/** One parsed request. */
export interface Call {
  /** The decoded segment at `:id`. */
  readonly id: string;
  readonly query: URLSearchParams;
  /** Reads the body; RequestError when it is not a JSON object. */
  body(): Promise<Readonly<Record<string, unknown>>>;
  readonly signal: AbortSignal;
  readonly handlers: SocketHandlers;
  readonly log: Log;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Segments; `:id` matches any one. */
  readonly path: string;
  handle(call: Call): Reply | Promise<Reply>;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

export const ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/jobs/:id/prolog',
    async handle({ handlers, log, ...call }) {
      const jobId = readJobId(call.id);
      const { env, restarts } = readHookBody(await call.body(), jobId);
      const override = readOverride(env, { log, jobId });
      await handlers.prolog({ jobId, restarts, override, env });
      return ACCEPTED;
    },
  },
  {
    method: 'POST',
    path: '/v1/jobs/:id/epilog',
    async handle({ handlers, ...call }) {
      const jobId = readJobId(call.id);
      const { env, restarts } = readHookBody(await call.body(), jobId);
      await handlers.epilog({ jobId, restarts, env });
      return ACCEPTED;
    },
  },
  {
    method: 'POST',
    path: '/v1/jobs/:id/checkpoint',
    async handle({ handlers, signal, ...call }) {
      const jobId = readJobId(call.id);
      const { kind } = await call.body();
      const known = typeof kind === 'string' ? readKind(kind) : null;
      if (known === null && kind !== undefined && kind !== null) {
        throw new RequestError(400, 'bad-kind', `kind must be one of ${CHECKPOINT_KINDS.join(', ')}`);
      }
      return handlers.checkpoint(jobId, known, signal);
    },
  },
  {
    method: 'POST',
    path: '/v1/jobs/:id/restore',
    async handle({ handlers, signal, ...call }) {
      const jobId = readJobId(call.id);
      const { action_id: actionId = null } = await call.body();
      if (actionId !== null && (typeof actionId !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(actionId))) {
        throw new RequestError(400, 'bad-action-id', 'action_id must be the id of a checkpoint');
      }
      return handlers.restore(jobId, actionId, signal);
    },
  },
  {
    method: 'POST',
    path: '/v1/notices',
    async handle({ handlers, signal, ...call }) {
      return handlers.notice(readNoticeBody(await call.body()), signal);
    },
  },
  {
    method: 'DELETE',
    path: '/v1/notices/:id',
    handle: ({ handlers, signal, id }) => handlers.withdraw(readNoticeId(id), signal),
  },
  { method: 'GET', path: '/v1/notices', handle: ({ handlers }) => ok({ notices: handlers.notices() }) },
  { method: 'GET', path: '/v1/status', handle: ({ handlers }) => ok(handlers.status()) },
  { method: 'GET', path: '/v1/jobs', handle: ({ handlers }) => ok({ jobs: handlers.jobs() }) },
  {
    method: 'GET',
    path: '/v1/history',
    handle({ handlers, query }) {
      const job = query.get('job');
      const limit = readLimit(query.get('limit'));
      return ok({ history: handlers.history(job === null ? { limit } : { jobId: readJobId(job), limit }) });
    },
  },
  {
    method: 'GET',
    path: '/healthz',
    handle({ handlers }) {
      const { ok: healthy, message } = handlers.healthy();
      return healthy ? ok({ message }) : { status: 503, body: { message, code: 'unhealthy' } };
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    handle: ({ handlers }) => ({ status: 200, body: handlers.metrics(), type: EXPOSITION_TYPE }),
  },
];

const ACCEPTED: Reply = { status: 202, body: {} };

function ok(body: object): Reply {
  return { status: 200, body };
}

function readLimit(text: string | null): number {
  if (text === null) return DEFAULT_LIMIT;
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_LIMIT) return Number(text);
  throw new RequestError(400, 'bad-limit', `limit is a number from 1 to ${MAX_LIMIT}`);
}
