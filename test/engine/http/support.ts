import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { apiRoutes } from '../../../daemon/engine/http/api-routes.ts';
import { pluginRoutes } from '../../../daemon/engine/http/plugin-routes.ts';
import { createProgress, type Progress } from '../../../daemon/engine/http/progress.ts';
import { type EngineServer, serveEngine } from '../../../daemon/engine/http/serve.ts';
import type { Checkpointer, CheckpointStatus, Starter } from '../../../daemon/engine/ports.ts';
import { CLUSTER, type Scene, scene } from '../store/support.ts';

export const ACTION = '6f0d6a6e-52b5-4c0e-a2f3-1b6f6c1d2e3f';
export const TOKEN = 'tok-5f1d0c9e7b';

export interface Front extends AsyncDisposable {
  readonly it: Scene;
  readonly path: string;
  readonly tokenFile: string;
  readonly server: EngineServer;
  readonly progress: Progress;
  /** Every call of a port: its name and arguments. */
  readonly calls: [name: string, ...args: unknown[]][];
  /** What the checkpointer says of ids that are under way or failed. */
  readonly underWay: Map<string, CheckpointStatus>;
  /** What the ports answer from now on. */
  readonly answers: {
    checkpoint: Awaited<ReturnType<Checkpointer['checkpoint']>>;
    restore: Awaited<ReturnType<Checkpointer['restore']>>;
    start: Awaited<ReturnType<Starter['start']>>;
    verdict: Awaited<ReturnType<Starter['go']>>;
  };
}

/** The engine's server over a real store, with a source and a destination that answer what a test wants. */
export async function front({ tcp = false } = {}): Promise<Front> {
  const it = scene();
  const dir = mkdtempSync(join(tmpdir(), 'ckptd-engine-'));
  const path = join(dir, 'api.sock');
  const tokenFile = join(dir, 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  const calls: Front['calls'] = [];
  const underWay: Front['underWay'] = new Map();
  const answers: Front['answers'] = {
    checkpoint: { ok: true, actionId: ACTION },
    restore: { ok: true, actionId: ACTION },
    start: null,
    verdict: { ok: true },
  };
  const said = async <T>(answer: T, ...call: Front['calls'][number]): Promise<T> => {
    calls.push(call);
    return answer;
  };
  const checkpointer = {
    checkpoint: (ask: unknown) => said(answers.checkpoint, 'checkpoint', ask),
    restore: (ask: unknown) => said(answers.restore, 'restore', ask),
    status: (actionId: string) => underWay.get(actionId) ?? null,
  };
  const starter: Starter = {
    standBy: () => undefined,
    start: (ask) => said(answers.start, 'start', ask),
    go: (...args) => said(answers.verdict, 'go', ...args),
    check: (...args) => said(answers.verdict, 'check', ...args),
    restored: (...args) => said(answers.verdict, 'restored', ...args),
    failed: (...args) => said(answers.verdict, 'failed', ...args),
    ended: async () => undefined,
  };
  const progress = createProgress({ checkpointer, store: it.store });
  const server = await serveEngine({
    config: {
      socket: { path, mode: 0o600, group: '0' },
      listen: tcp ? { host: '127.0.0.1', port: 0 } : null,
      tokenFile: tcp ? tokenFile : null,
    },
    api: apiRoutes({
      clusterId: CLUSTER,
      node: 'n1',
      version: '1.2.3',
      checkpointer,
      store: it.store,
      progress,
    }),
    plugin: pluginRoutes(starter, (jobId) => void calls.push(['ended', jobId])),
    log: it.log,
  });
  return {
    it,
    path,
    tokenFile,
    server,
    progress,
    calls,
    underWay,
    answers,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      it[Symbol.dispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  readonly json: unknown;
}

type Where = { readonly socketPath: string } | { readonly port: number };

/** One request: `POST /v2/slurm/checkpoint/job`. */
export function ask(
  where: Where,
  line: string,
  body?: object | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const [method, path] = line.split(' ');
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const at = 'port' in where ? { ...where, host: '127.0.0.1' } : where;
  const sent = request({ ...at, method, path, headers, agent: false });
  sent.once('error', reject);
  sent.once('response', (response) => {
    buffer(response).then((bytes) => {
      const text = bytes.toString();
      const type = String(response.headers['content-type'] ?? '').replace(/;.*/, '');
      const json = type === 'application/json' ? JSON.parse(text) : undefined;
      resolve({ status: response.statusCode ?? 0, type, headers: response.headers, text, json });
    }, reject);
  });
  sent.end(typeof body === 'object' ? JSON.stringify(body) : body);
  return promise;
}
