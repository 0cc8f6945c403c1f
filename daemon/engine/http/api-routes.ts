import type { Reply } from '../../http/reply.ts';
import type { Checkpointer, Store } from '../ports.ts';
import { StoreError } from '../store-error.ts';
import { isUuid, readCheckpointBody, readRestoreBody } from './ask-body.ts';
import type { Progress } from './progress.ts';
import { type EngineRoute, ok, refusal, text } from './route.ts';

export interface ApiPorts {
  readonly clusterId: string;
  readonly node: string;
  readonly version: string;
  readonly checkpointer: Pick<Checkpointer, 'checkpoint' | 'restore'>;
  readonly store: Pick<Store, 'deprecate' | 'find'>;
  readonly progress: Progress;
}

/** What ckptd, and every other client of Cedana's API, asks for: six calls with the seeds' statuses. */
export function apiRoutes(ports: ApiPorts): readonly EngineRoute[] {
  const { clusterId, node, version, checkpointer, store, progress } = ports;
  return [
    {
      method: 'POST',
      path: '/v2/slurm/checkpoint/job',
      async handle(call) {
        const ask = readCheckpointBody(await call.json());
        const answer = await checkpointer.checkpoint(ask);
        if (!answer.ok) throw refusal(answer.status, answer.message);
        progress.accepted(answer.actionId, ask.jobId);
        return text(200, answer.actionId);
      },
    },
    {
      method: 'POST',
      path: '/v2/slurm/restore/job',
      async handle(call) {
        const ask = readRestoreBody(await call.json());
        if (ask.clusterId !== clusterId) {
          throw refusal(
            404,
            `this engine serves cluster ${clusterId}, and has no checkpoint of ${ask.clusterId.slice(0, 60)}`,
          );
        }
        if (!isUuid(ask.actionId)) throw refusal(404, 'there is no such checkpoint: an action id is a UUID');
        const { actionId, reason } = ask;
        const answer = await checkpointer.restore({ actionId, reason });
        if (!answer.ok) throw refusal(answer.status, answer.message);
        return text(200, answer.actionId);
      },
    },
    {
      method: 'GET',
      path: '/v2/checkpoint/status/:id',
      handle: ({ id }) => fromStore(async () => ok(await progress.statusOf(id.toLowerCase()))),
    },
    {
      method: 'GET',
      path: '/v2/slurm/checkpoints',
      handle: () => fromStore(async () => ok(await progress.list())),
    },
    {
      method: 'PATCH',
      path: '/v2/slurm/checkpoints/deprecate/:id',
      async handle(call) {
        const { reason } = await call.json();
        const why = typeof reason === 'string' && reason.trim() !== '' ? reason : 'by the API';
        const id = call.id.toLowerCase();
        return fromStore(async () => {
          if (!isUuid(id) || !(await isThere(store, id))) throw refusal(404, 'there is no such checkpoint');
          await store.deprecate(id, why);
          return ok({ action_id: id, status: 'deprecated' });
        });
      },
    },
    {
      method: 'GET',
      path: '/v2/user',
      handle: () => ok({ id: 'ckptd-engine', version, node, cluster_id: clusterId }),
    },
  ];
}

/** One that is damaged is there, and can be deprecated. */
async function isThere(store: Pick<Store, 'find'>, actionId: string): Promise<boolean> {
  try {
    return (await store.find(actionId)) !== null;
  } catch (error) {
    if (!(error instanceof StoreError) || error.mayPass) throw error;
    return true;
  }
}

/** A file system that is away is a 500 in its own words, so that whoever asks may ask again. */
async function fromStore(body: () => Promise<Reply>): Promise<Reply> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof StoreError) throw refusal(500, error.message);
    throw error;
  }
}
