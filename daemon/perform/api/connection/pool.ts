import type { Client } from 'undici';
import { Semaphore } from '../../../system/async/semaphore.ts';
import { loadClient } from './undici.ts';
import { openSocket, type Way } from './way.ts';

/** One connection to the API, made when it is first used and kept for a few seconds after. */
export interface Connection {
  readonly client: Client;
  /** Ends the connection at once, also one that is still being made. Never rejects. */
  destroy(): Promise<void>;
}

/** The few connections that the daemon allows itself. */
export interface Pool {
  /**
   * Waits for a free connection and lends it to `body`; rejects with the signal's reason while it waits. The
   * connection is kept only if the body says that it is `reusable`, which it is after a whole answer.
   */
  use<T>(signal: AbortSignal, body: (connection: Connection) => Promise<Used<T>>): Promise<T>;
  /** Ends every connection; requests under way fail, later ones reject. */
  close(): Promise<void>;
}

export interface Used<T> {
  readonly result: T;
  readonly reusable: boolean;
}

const LIMIT = 4;
/** An idle connection is closed after this; a server's own, shorter hint is kept to (undici). */
const IDLE_MS = 5_000;

/**
 * Not undici's `Pool`: there a request cannot tell which connection is being made for it, so that aborting it
 * would leave a socket behind.
 */
export function createPool(way: Way): Pool {
  const idle: Connection[] = [];
  const busy = new Set<Connection>();
  const slots = new Semaphore(LIMIT);
  let closed = false;

  const make = async (): Promise<Connection> => {
    const Client = await loadClient();
    const making = new AbortController();
    const client = new Client(way.endpoint.origin, {
      connect: (_options, callback) => {
        openSocket(way, making.signal).then(
          (socket) => callback(null, socket),
          (error: Error) => callback(error, null),
        );
      },
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      // The exchange has one time limit of its own, over all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
      allowH2: false,
    });
    return {
      client,
      destroy() {
        making.abort(new Error('the connection is not wanted any more'));
        return client.destroy();
      },
    };
  };

  async function lend<T>(body: (connection: Connection) => Promise<Used<T>>): Promise<T> {
    if (closed) throw new Error('the API client is closed');
    const connection = idle.pop() ?? (await make());
    busy.add(connection);
    let reusable = false;
    try {
      const used = await body(connection);
      reusable = used.reusable;
      return used.result;
    } finally {
      busy.delete(connection);
      if (reusable && !closed) idle.push(connection);
      else void connection.destroy();
    }
  }

  return {
    use: (signal, body) => slots.with(() => lend(body), signal),
    async close() {
      closed = true;
      await Promise.all([...idle.splice(0), ...busy].map((connection) => connection.destroy()));
    },
  };
}
