import { readJobId } from '../../http/job-id.ts';
import { type Reply, RequestError } from '../../http/reply.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { Starter, Verdict } from '../ports.ts';
import { type EngineCall, type EngineRoute, text } from './route.ts';

/** Linux's own: 0 is nobody's process, and above are none. */
const MOST_PID = 4_194_304;
const MOST_MESSAGE = 4_000;

/**
 * What the SPANK plugin and ckptd-criu ask, on the Unix socket alone. Bodies are lines of text, so that C needs no
 * JSON.
 */
export function pluginRoutes(starter: Starter, ended: (jobId: JobId) => void): readonly EngineRoute[] {
  return [
    post('start', async (jobId, { query }) => {
      const [uid, gid] = [number(query, 'uid', 0xffff_fffe), number(query, 'gid', 0xffff_fffe)];
      // The plugin of the version before, in a slurmstepd that runs, does not say it; nor one without Prolog's note.
      const restarts = query.has('restarts') ? number(query, 'restarts', 0xffff) : null;
      const plan = await starter.start({ jobId, uid, gid, restarts });
      if (plan === null) return { status: 204, body: '' };
      // The plugin of the version before takes it for an error, and begins anew with it in its log.
      if (plan.type === 'anew') return text(409, `${plan.why}\n`);
      // The one before takes that for an error, too.
      if (plan.type === 'later') return text(503, `${plan.why}\n`);
      const lines = [`action ${plan.actionId}`, ...plan.argv.map((arg) => `arg ${encodeURIComponent(arg)}`)];
      return text(200, `${lines.join('\n')}\n`);
    }),
    post('go', async (jobId, { query }) =>
      verdict(await starter.go(jobId, number(query, 'pid', MOST_PID, 1))),
    ),
    post('check', async (jobId) => verdict(await starter.check(jobId))),
    post('restored', async (jobId, { query }) => {
      const pids = { init: number(query, 'init', MOST_PID, 1), root: number(query, 'root', MOST_PID, 1) };
      return verdict(await starter.restored(jobId, pids));
    }),
    post('failed', async (jobId, call) => {
      const message = (await call.text()).slice(0, MOST_MESSAGE).toWellFormed();
      return verdict(await starter.failed(jobId, message));
    }),
    post('ended', async (jobId) => {
      // The Epilog waits for nobody.
      ended(jobId);
      return text(202, 'accepted\n');
    }),
  ];
}

function post(what: string, answer: (jobId: JobId, call: EngineCall) => Promise<Reply>): EngineRoute {
  return {
    method: 'POST',
    path: `/v1/jobs/:id/${what}`,
    handle: (call) => answer(readJobId(call.id), call),
  };
}

function verdict(said: Verdict): Reply {
  return said.ok ? text(200, 'ok\n') : text(said.later ? 503 : 409, `${said.message}\n`);
}

function number(query: URLSearchParams, name: string, most: number, least = 0): number {
  const digits = query.get(name) ?? '';
  const value = Number(digits);
  if (/^\d{1,10}$/.test(digits) && value >= least && value <= most) return value;
  throw new RequestError(400, 'bad-number', `${name} must be a number from ${least} to ${most}`);
}
