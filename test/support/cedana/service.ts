import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Checkpoints, type Lifecycle, wordsFor } from './checkpoints.ts';
import type { Matched, RouteName } from './contract.ts';
import type { Answer } from './faults.ts';

export interface RestoreBody {
  readonly action_id: string;
  readonly cluster_id: string;
  readonly reason: string;
}

export interface CheckpointBody {
  readonly job_id: string;
  readonly job_name: string;
  readonly kind: string;
  readonly reason: string;
}

/** What can be changed while it runs. */
export interface Behaviour {
  /** Accepted bearer tokens; empty: none is asked for. */
  tokens: readonly string[];
  /** Whether the id in a 200 is wrapped in double quotes. */
  quotes: boolean;
  lifecycle: Lifecycle;
  /** Which of the two status routes there are. */
  statusRoutes: 'both' | 'status' | 'list' | 'none';
  /** Whether a restore needs a checkpoint that was taken here and is ready. */
  strictRestore: boolean;
  /** Called when a checkpoint is carried out. */
  onCheckpoint: (body: CheckpointBody, actionId: string) => void | Promise<void>;
  /** Called when a restore is carried out, before its answer: a test may cancel or requeue the job. */
  onRestore: (body: RestoreBody) => void | Promise<void>;
}

export function defaultBehaviour(): Behaviour {
  return {
    tokens: [],
    quotes: true,
    lifecycle: { afterMs: 0, end: 'ready' },
    statusRoutes: 'both',
    strictRestore: true,
    onCheckpoint: () => {},
    onRestore: () => {},
  };
}

/** What Cedana's service answers to requests that keep to its contract. */
export class Service {
  readonly behaviour = defaultBehaviour();
  readonly checkpoints = new Checkpoints();

  /** Null where the token is good, else the answer that says that it is not. */
  authorize(request: IncomingMessage): Answer | null {
    const { tokens } = this.behaviour;
    if (tokens.length === 0) return null;
    const sent = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    return sent !== undefined && tokens.includes(sent) ? null : apiError(401, 'invalid token');
  }

  /** Whether the server has this route at all. */
  has(route: RouteName): boolean {
    const { statusRoutes } = this.behaviour;
    return (route !== 'status' && route !== 'list') || statusRoutes === 'both' || statusRoutes === route;
  }

  async carryOut(matched: Matched, body: string): Promise<Answer> {
    switch (matched.route.name) {
      case 'checkpoint':
        return this.#checkpoint(JSON.parse(body));
      case 'restore':
        return this.#restore(JSON.parse(body));
      case 'status': {
        const found = this.checkpoints.get(matched.id);
        return json(200, { status: found === undefined ? 'not_found' : wordsFor(found).status });
      }
      case 'list':
        return json(
          200,
          this.checkpoints.list().map((stored) => ({
            action_id: stored.actionId,
            job_id: stored.jobId,
            status: wordsFor(stored).list,
          })),
        );
      case 'deprecate': {
        const found = this.checkpoints.get(matched.id);
        if (found === undefined) return apiError(404, 'no such checkpoint');
        found.deprecated = true;
        return json(200, {});
      }
      case 'user':
        return json(200, { id: 'stand-in' });
    }
  }

  async #checkpoint(body: CheckpointBody): Promise<Answer> {
    const { actionId } = this.checkpoints.add(body.job_id, this.behaviour.lifecycle);
    await this.behaviour.onCheckpoint(body, actionId);
    return this.#id(actionId);
  }

  async #restore(body: RestoreBody): Promise<Answer> {
    const found = this.checkpoints.get(body.action_id);
    if (this.behaviour.strictRestore && (found === undefined || wordsFor(found).list !== 'ready')) {
      return apiError(404, 'Failed create restore');
    }
    await this.behaviour.onRestore(body);
    return this.#id(randomUUID());
  }

  #id(id: string): Answer {
    const body = this.behaviour.quotes ? `"${id}"` : id;
    return { status: 200, contentType: 'text/plain', body };
  }
}

export function apiError(status: number, message: string, details?: unknown): Answer {
  return json(status, { message, code: String(status), ...(details === undefined ? {} : { details }) });
}

function json(status: number, value: object): Answer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}
