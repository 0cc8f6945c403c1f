import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, distorts, type Fault, goWrong } from './fault.ts';

export interface Received {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal;
}

/** A request that was answered, or met with a fault. */
export interface Seen extends Received {
  /** Of the answer; null for a fault, and while it is held. */
  status: number | null;
  /** Epoch ms. */
  readonly at: number;
}

export interface Trouble {
  /** Part of the path; left out, all requests meet it. */
  readonly path?: string;
  /** So many requests meet it; left out, all until `mend`. */
  readonly times?: number;
}

/** What the metadata services have in common: HTTP/1.1 on loopback, and faults to order. */
export abstract class MetadataServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Added to the time in `Date`, as by a host whose clock is behind by this. */
  aheadMs = 0;
  readonly #server: Server;
  readonly #troubles: { fault: Fault; path: string; left: number }[] = [];
  readonly #watchers = new Set<() => void>();
  #url = '';

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const url = new URL(request.url ?? '/', 'http://metadata');
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      await this.#serve(
        {
          method: request.method ?? '',
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
          gone: gone.signal,
          status: null,
          at: Date.now(),
        },
        response,
      );
    });
  }

  /** Listens on a port of its own, or on `port`; `host` is for nodes of the lab, whose loopback is another. */
  async listen(port = 0, host = '127.0.0.1'): Promise<this> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    this.#url = `http://${host}:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** For the configuration's `endpoint`. */
  get url(): string {
    return this.#url;
  }

  /** Goes wrong from now on. What was ordered first is met first. */
  fail(fault: Fault, { path = '', times = Number.POSITIVE_INFINITY }: Trouble = {}): void {
    this.#troubles.push({ fault, path, left: times });
  }

  mend(): void {
    this.#troubles.length = 0;
  }

  /** Requests whose path holds this. */
  asked(path = ''): readonly Seen[] {
    return this.seen.filter((request) => request.path.includes(path));
  }

  /** Resolves once so many requests have come to such a path; the test's own timeout is the limit. */
  async reaches(count: number, path = ''): Promise<void> {
    while (this.asked(path).length < count) await this.#change();
  }

  /** As `reaches`, for requests from now on. */
  async more(count: number, path = ''): Promise<void> {
    await this.reaches(this.asked(path).length + count, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** What the service says. May be held; rejects when `gone` aborts. */
  protected abstract answer(request: Received): Answer | Promise<Answer>;

  async #serve(request: Seen, response: ServerResponse): Promise<void> {
    this.seen.push(request);
    for (const wake of [...this.#watchers]) wake();
    const trouble = this.#troubles.find(({ path, left }) => left > 0 && request.path.includes(path));
    if (trouble !== undefined) trouble.left -= 1;
    try {
      // What goes wrong without looking does so at once, also where a true answer would be held.
      const blind = trouble !== undefined && !distorts(trouble.fault);
      const truth = blind ? page(500) : await this.answer(request);
      response.setHeader('date', new Date(Date.now() + this.aheadMs).toUTCString());
      if (trouble !== undefined) return goWrong(trouble.fault, truth, response);
      request.status = truth.status;
      response.writeHead(truth.status, truth.headers).end(truth.body);
    } catch (error) {
      if (!request.gone.aborted) throw error;
    }
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.add(resolve);
    await promise;
    this.#watchers.delete(resolve);
  }
}

export function page(status: number, why = ''): Answer {
  return {
    status,
    body: `<html><body><h1>${status} ${why}</h1></body></html>`,
    headers: { 'content-type': 'text/html' },
  };
}

export function text(body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, body, headers: { 'content-type': 'text/plain', ...headers } };
}

export function json(value: unknown): Answer {
  return { status: 200, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } };
}
