import type { Client } from 'undici';
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
  /** Waits for a free one; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Connection>;
  /** Gives one back; `reusable` only after a whole answer, else its connection ends here. */
  give(connection: Connection, reusable: boolean): void;
  /** Ends every connection; requests under way fail, later ones reject. */
  close(): Promise<void>;
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
  const waiting: (() => void)[] = [];
  /** Pool taken or about to be. */
  let taken = 0;
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

  const free = () => {
    taken -= 1;
    waiting.shift()?.();
  };

  return {
    async take(signal) {
      signal.throwIfAborted();
      while (taken >= LIMIT) await turn(waiting, signal);
      if (closed) throw new Error('the API client is closed');
      taken += 1;
      try {
        const connection = idle.pop() ?? (await make());
        busy.add(connection);
        return connection;
      } catch (error) {
        free();
        throw error;
      }
    },
    give(connection, reusable) {
      busy.delete(connection);
      if (reusable && !closed) idle.push(connection);
      else void connection.destroy();
      free();
    },
    async close() {
      closed = true;
      await Promise.all([...idle.splice(0), ...busy].map((connection) => connection.destroy()));
    },
  };
}

/** Resolves when it is this one's turn to look for a free connection again. */
function turn(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const wake = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = () => {
      const place = waiting.indexOf(wake);
      if (place >= 0) waiting.splice(place, 1);
      reject(signal.reason);
    };
    waiting.push(wake);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
