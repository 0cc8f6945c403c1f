import type { Config } from '../config/config.ts';
import { listen, type SocketServer } from '../sources/socket/listen.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { Core } from './core.ts';
import { socketHandlers } from './handlers.ts';
import { metricsText } from './metrics.ts';
import type { Watching } from './sources.ts';
import { nodesView, noticesView, ownDrainView, statusLine } from './views.ts';

export interface FrontPorts {
  readonly core: Core;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** The configuration and the sources of this moment: both change with a reload. */
  readonly config: () => Config;
  readonly watching: () => Watching | null;
}

/** What people and probes see of the daemon. */
export interface Front {
  /** One line for `systemctl status`. */
  statusLine(): string;
  readonly socket: SocketServer;
}

/** Opens the socket. Throws SocketBusyError when another daemon serves it. */
export async function openFront({ core, clock, log, version, config, watching }: FrontPorts): Promise<Front> {
  const { loop, outbox } = core;

  const slurmAway = () => {
    const health = watching()?.health();
    return (health?.nodes.awaySince ?? health?.jobs?.awaySince ?? null) !== null;
  };
  const missing = () => core.reach.missing();
  const problems = () => [
    ...(loop.journalFailing ? ['the journal cannot be written'] : []),
    ...missing().map((file) => `${file} is missing: see slurm.bin`),
    ...(slurmAway() && missing().length === 0 ? ['Slurm does not answer'] : []),
  ];
  const line = () => statusLine(loop.state, problems());

  const socket = await listen({
    ...config().socket,
    log,
    handlers: socketHandlers({
      ...core,
      clock,
      hint: (jobId) => watching()?.hint(jobId),
      status: () => ({
        version,
        node: config().slurm.node,
        cluster_id: config().clusterId,
        api: config().api.url,
        status: line(),
        nodes: nodesView(loop.state.nodes),
        notices: noticesView(loop.state.notices),
        drain: ownDrainView(loop.state.ownDrain),
        dry_run: config().restore.dryRun,
        effects: outbox.underWay(),
        problems: problems(),
      }),
      metrics: () =>
        metricsText({
          state: loop.state,
          notes: core.notes,
          effectsUnderWay: outbox.underWay().length,
          ...core.reach.counters(),
          socket: socket.counters,
          journalFailing: loop.journalFailing,
          slurmAway: slurmAway(),
          turns: loop.turns,
          sources: watching()?.notices() ?? [],
          providers: watching()?.providers() ?? [],
        }),
      healthy: () => ({
        ok: !loop.journalFailing && missing().length === 0,
        message: problems().join(', ') || 'ok',
      }),
    }),
  });
  return { socket, statusLine: line };
}
