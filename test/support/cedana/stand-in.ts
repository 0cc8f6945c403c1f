import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { deviations, match, type RouteName } from './contract.ts';
import type { Entry } from './entry.ts';
import { type Answer, actsUnder, type Fault, play } from './faults.ts';
import { apiError, Service } from './service.ts';

export interface StandInOptions {
  readonly listen: { readonly port: number; readonly host?: string } | { readonly path: string };
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Called once for every request, when it is read and before it is carried out. */
  readonly onRequest?: (entry: Entry) => void;
  /** Called once for every request, when its exchange has ended. */
  readonly onEntry?: (entry: Entry) => void;
}

/**
 * A strict stand-in of Cedana's service, over real sockets. A request that deviates from the contract is answered
 * with 422 and noted in `violations`, which a test asserts to be empty at its end.
 */
export class StandIn implements AsyncDisposable {
  readonly entries: Entry[] = [];
  readonly violations: string[] = [];
  readonly service = new Service();
  /** Per route: faults to come, in order, and the one that stays when they are used up. */
  readonly scripts: Record<RouteName, { latencyMs: number; faults: Fault[]; always: Fault }> = {
    checkpoint: script(),
    restore: script(),
    status: script(),
    list: script(),
    deprecate: script(),
    user: script(),
  };
  readonly #options: StandInOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections accepted so far. */
  connections = 0;

  constructor(options: StandInOptions) {
    this.#options = options;
    const handler = (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.violations.push(`the stand-in itself failed: ${String(error)}`);
        response.destroy();
      });
    };
    this.#server = options.tls === undefined ? createServer(handler) : createTlsServer(options.tls, handler);
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Begins to listen; again after `refuse`, at the same address. */
  async listen(): Promise<this> {
    const { listen } = this.#options;
    this.#server.listen(
      'path' in listen ? listen : { host: '127.0.0.1', ...listen, port: this.#port || listen.port },
    );
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = (address as AddressInfo).port;
    return this;
  }
  #port = 0;

  /** What `api.url` would say. */
  get url(): string {
    const { listen, tls } = this.#options;
    if ('path' in listen) return `unix:${listen.path}`;
    return `${tls === undefined ? 'http' : 'https'}://${listen.host ?? '127.0.0.1'}:${this.#port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Closes every connection and refuses new ones until `listen`. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? '';
    const url = request.url ?? '';
    const matched = match(method, url);
    const steps = matched === null ? script() : this.scripts[matched.route.name];
    const fault = steps.faults.shift() ?? steps.always;
    const body = fault.type === 'reset-before-body' ? '' : await readAll(request);
    const wrong =
      matched === null ? [`no such route: ${method} ${url}`] : deviations(matched, request.headers, body);
    const violations = fault.type === 'reset-before-body' ? [] : wrong;
    this.violations.push(...violations);
    const entry: Entry = {
      at: new Date().toISOString(),
      route: matched?.route.name ?? null,
      method,
      url,
      body,
      fault: fault.type,
      acted: false,
      answer: null,
      answered: null,
      violations,
    };
    this.entries.push(entry);
    this.#options.onRequest?.(entry);
    response.once('close', () => {
      entry.answered = response.writableFinished;
      this.#options.onEntry?.(entry);
    });
    if (steps.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, steps.latencyMs).unref());

    const said = this.#objection(matched, request, violations);
    let answer: Answer = said ?? apiError(500, 'not carried out');
    if (said === null && matched !== null && actsUnder(fault)) {
      entry.acted = true;
      answer = await this.service.carryOut(matched, body);
    }
    entry.answer = { status: answer.status, body: answer.body };
    play(violations.length > 0 ? { type: 'none' } : fault, answer, response);
  }

  #objection(
    matched: ReturnType<typeof match>,
    request: IncomingMessage,
    violations: readonly string[],
  ): Answer | null {
    if (matched === null || !this.service.has(matched.route.name)) return apiError(404, 'Not Found');
    if (violations.length > 0) return apiError(422, 'deviates from the contract', violations);
    return this.service.authorize(request);
  }
}

function script(): { latencyMs: number; faults: Fault[]; always: Fault } {
  return { latencyMs: 0, faults: [], always: { type: 'none' } };
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
