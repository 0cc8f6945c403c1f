import type { Clock, Log } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { ActionsApi } from '../ports.ts';
import { checkpoint } from './checkpoint.ts';
import { parseEndpoint } from './connection/endpoint.ts';
import { createPool } from './connection/pool.ts';
import { type Environment, proxyFor } from './connection/proxy.ts';
import { createTrust } from './connection/trust.ts';
import { type CounterSample, createCounters } from './counters.ts';
import { createCredentials } from './credentials.ts';
import { awaitReady } from './ready.ts';
import { restoreOnce } from './restore.ts';
import { createStatusReader } from './status.ts';
import type { TokenSource } from './token.ts';

/**
 * The client of Cedana's actions API, which the engine speaks too. A server's errors are values. Each call rejects only
 * with its signal's reason, and then its connection is gone.
 */
export interface ApiClient extends ActionsApi {
  /** For `/metrics`, since the daemon started. */
  counters(): readonly CounterSample[];
  /** Ends every connection. Abort the signals of calls before. */
  close(): Promise<void>;
}

export interface ApiDeps {
  /** `https://…`, `unix:/path`, or `http://` to loopback. */
  readonly endpoint: string;
  /** UUID; named in alarms. Each restore carries its own. */
  readonly clusterId: string;
  /** For one exchange, from making the connection to the last byte. */
  readonly timeoutMs: Millis;
  readonly token: TokenSource;
  /** PEM file of authorities to trust in addition to the system's. */
  readonly caFile?: string | null;
  /** Only its proxy and SSL_CERT_FILE variables are read. */
  readonly env: Environment;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * Nothing is read, loaded or connected before the first call.
 * @throws TypeError for an endpoint that the configuration should have refused, or a proxy that is not http(s).
 */
export function createApi(deps: ApiDeps): ApiClient {
  const { clock, log, random, timeoutMs } = deps;
  const endpoint = parseEndpoint(deps.endpoint);
  const pool = createPool({
    endpoint,
    proxy: proxyFor(endpoint, deps.env),
    trust: createTrust(deps.caFile ?? null, deps.env),
  });
  const counters = createCounters();
  const credentials = createCredentials({ clusterId: deps.clusterId, token: deps.token, clock, log, random });
  const shared = {
    pool,
    basePath: endpoint.basePath,
    credentials,
    counters,
    clock,
    log,
    random,
    timeoutMs,
  };
  const status = createStatusReader(shared);
  return {
    checkpoint: (request, signal) => checkpoint(shared, request, signal),
    awaitReady: (request, signal) => awaitReady({ ...shared, status }, request, signal),
    restoreOnce: (request, signal) => restoreOnce(shared, request, signal),
    counters: () => counters.samples(),
    close: () => pool.close(),
  };
}
