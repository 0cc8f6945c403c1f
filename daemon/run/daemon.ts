/*
 * ckptd, put together. It reads the journal, takes up what an earlier process left, and listens on the socket. Only
 * then it starts the sources and tells systemd READY. A reload replaces the clients and the sources; the loop, the
 * journal and the socket stay, so that nothing is lost.
 */
import type { Config } from '../config/config.ts';
import { loadConfig, type Sources } from '../config/load.ts';
import { policyOf } from '../config/policy.ts';
import { ConfigError } from '../config/problem.ts';
import type { Life } from '../system/lifecycle.ts';
import type { SystemLog } from '../system/log/log.ts';
import { feedWatchdog, type Notify, systemdNotify, watchdogUsec } from '../system/notify.ts';
import type { Clock } from '../system/ports.ts';
import type { Millis } from '../vocabulary/job.ts';
import { openAdminApi } from './admin-api.ts';
import { type Core, startCore } from './core.ts';
import { type RunningSources, startSources } from './sources.ts';

/** How often the line of `systemctl status` is updated; an unchanged line costs nothing. */
const STATUS_EVERY_MS: Millis = 10_000;

type Environment = Readonly<Record<string, string | undefined>>;

export interface DaemonPorts {
  readonly sources: Sources;
  /** The environment of the process: proxies, systemd's sockets and credentials. */
  readonly env: Environment;
  readonly config: Config;
  readonly log: SystemLog;
  readonly clock: Clock;
  readonly version: string;
}

/**
 * Runs until the life's signal.
 *
 * @throws JournalError, SocketBusyError, SocketError: why it cannot start, in words for an administrator.
 */
export async function runDaemon(ports: DaemonPorts, life: Life): Promise<void> {
  const { sources, env, log, clock, version } = ports;
  const { signal, resources } = life;
  let { config } = ports;
  let running: RunningSources | null = null;
  const failed = Promise.withResolvers<never>();

  const core = startCore(config, { clock, log, env, signal, resources });
  const adminApi = await openAdminApi({
    core,
    clock,
    log,
    version,
    config: () => config,
    sources: () => running,
  });
  resources.use(adminApi.socket);
  const notify = systemdNotify({ exec: core.clients.exec, log, env });

  function watch(): void {
    running = startSources(config, { core, clock, log, hostname: sources.hostname, signal });
    running.done.catch(failed.reject);
  }

  async function reload(): Promise<void> {
    const next = readAgain(sources, log);
    if (next === null) return;
    await running?.[Symbol.asyncDispose]();
    config = keepingWhatNeedsRestart(config, next, log);
    log.setLevel(config.log.level);
    core.clients.replace(config);
    core.loop.policy = policyOf(config);
    core.loop.handle({ type: 'started', at: clock.now() });
    watch();
    log.info({ file: sources.file }, 'the configuration was loaded again');
  }

  life.onReload(async () => {
    await notify.reloading();
    await reload();
    await notify.ready(adminApi.statusLine());
  });
  resources.defer(() => running?.[Symbol.asyncDispose]());
  watch();
  log.info({ version, node: config.slurm.node, api: config.api.url }, 'ckptd is up');
  await notify.ready(adminApi.statusLine());
  const showing = setInterval(() => void notify.status(adminApi.statusLine()), STATUS_EVERY_MS);
  resources.defer(() => clearInterval(showing));
  const fed = feedFromLoop(core, { notify, clock, log, env }, signal);
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  await Promise.race([stopped, failed.promise, fed.then(() => stopped)]);
  await notify.stopping();
}

/** @returns null for a file that cannot be used: the daemon keeps its configuration, and logs that. */
function readAgain(sources: Sources, log: SystemLog): Config | null {
  try {
    return loadConfig(sources);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error(
      { file: sources.file, problems: error.problems },
      `the configuration is kept as it was: ${error.message}`,
    );
    return null;
  }
}

/** Keeps the values that the socket, the journal and every record depend on: they need a restart. */
function keepingWhatNeedsRestart(before: Config, next: Config, log: SystemLog): Config {
  const fixed = (config: Config) => ({
    'slurm.node': config.slurm.node,
    cluster_id: config.clusterId,
    socket: config.socket,
    state_dir: config.stateDir,
  });
  for (const [key, value] of Object.entries(fixed(next))) {
    const changed =
      JSON.stringify(value) !== JSON.stringify(Object.entries(fixed(before)).find(([k]) => k === key)?.[1]);
    if (changed) log.warn({ key }, `${key} changed in the configuration: that needs a restart of ckptd`);
  }
  const { clusterId, socket, stateDir } = before;
  return { ...next, clusterId, socket, stateDir, slurm: { ...next.slurm, node: before.slurm.node } };
}

/** Feeds systemd's watchdog while the loop handles events. */
function feedFromLoop(
  { loop }: Core,
  ports: { notify: Notify; clock: Clock; log: SystemLog; env: Environment },
  signal: AbortSignal,
): Promise<void> {
  let seen = -1;
  const turned = () => {
    const did = loop.turns !== seen;
    seen = loop.turns;
    // The next ping is sent only if the loop has handled this event.
    setImmediate(() => loop.handle({ type: 'tick', at: ports.clock.now() }));
    return did;
  };
  return feedWatchdog({ ...ports, usec: watchdogUsec(ports.env), turned }, signal);
}
