import type { Config } from '../config/config.ts';
import { listen, type SocketServer } from '../sources/socket/listen.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { Core } from './core.ts';
import { socketHandlers } from './handlers.ts';
import { metricsText } from './metrics.ts';
import type { RunningSources } from './sources.ts';
import { nodesView, noticesView, ownDrainView, statusLine } from './views.ts';

export interface AdminApiPorts {
  readonly core: Core;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** The configuration and the sources of this moment: both change with a reload. */
  readonly config: () => Config;
  readonly sources: () => RunningSources | null;
}

/** The socket for administrators, hooks and probes, and the line for systemd. */
export interface AdminApi {
  /** One line for `systemctl status`. */
  statusLine(): string;
  readonly socket: SocketServer;
}

/** Opens the socket. Throws SocketBusyError when another daemon serves it. */
export async function openAdminApi({
  core,
  clock,
  log,
  version,
  config,
  sources,
}: AdminApiPorts): Promise<AdminApi> {
  const { loop, outbox } = core;

  const slurmAway = () => {
    const health = sources()?.health();
    return (health?.nodes.awaySince ?? health?.jobs?.awaySince ?? null) !== null;
  };
  const missing = () => core.clients.missing();
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
      hint: (jobId) => sources()?.hint(jobId),
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
          ...core.clients.counters(),
          socket: socket.counters,
          journalFailing: loop.journalFailing,
          slurmAway: slurmAway(),
          turns: loop.turns,
          sources: sources()?.notices() ?? [],
          providers: sources()?.providers() ?? [],
        }),
      healthy: () => ({
        ok: !loop.journalFailing && missing().length === 0,
        message: problems().join(', ') || 'ok',
      }),
    }),
  });
  return { socket, statusLine: line };
}
