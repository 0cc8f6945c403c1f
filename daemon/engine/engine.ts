/*
 * ckptd-engine, put together: its folders are its own, what an earlier process left is put right (a frozen job before
 * all), the socket listens, and only then systemd hears READY. It ends the other way round; a criu that is under way
 * goes on without it, and the next process finds what it left.
 */
import { slurmCommands } from '../slurm/commands.ts';
import { jobLookup, jobQuery } from '../slurm/query-job.ts';
import type { Life } from '../system/lifecycle.ts';
import { feedWatchdog, systemdNotify, watchdogUsec } from '../system/notify.ts';
import type { Clock, Log } from '../system/ports.ts';
import { systemExec } from '../system/process/exec.ts';
import type { JobId } from '../vocabulary/job.ts';
import { createCheckpointer } from './checkpointer.ts';
import type { EngineConfig } from './config/config.ts';
import { startFence } from './fence/fence.ts';
import { LOOK_TIMEOUT_MS } from './fence/store-side.ts';
import { apiRoutes } from './http/api-routes.ts';
import { pluginRoutes } from './http/plugin-routes.ts';
import { createProgress } from './http/progress.ts';
import { serveEngine } from './http/serve.ts';
import type { EnginePorts } from './ports.ts';
import { createFreezer } from './proc/cgroup-freezer.ts';
import { createStarter } from './restore/starter.ts';
import { startRetention } from './retention/retention.ts';
import { inTime } from './store/in-time.ts';
import { createStore } from './store/store.ts';
import { lockFolder, ownFolder } from './work-dir.ts';

export interface EngineOptions {
  readonly config: EngineConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** The process's own: systemd's sockets. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/**
 * Runs until the life's signal.
 * @throws WorkDirError, SocketBusyError, SocketError, TokenError: what makes a start impossible, for an admin.
 */
export async function runEngine(options: EngineOptions, { signal, resources }: Life): Promise<void> {
  const { config, clock, log, env, version } = options;
  const { node } = config.slurm;
  ownFolder(config.workDir, 0o700);
  // The socket is in it, with a mode of its own.
  ownFolder(config.runDir, 0o755);
  for (const folder of [config.workDir, config.runDir]) resources.use(lockFolder(folder));

  const exec = systemExec({ slurmConf: config.slurm.conf });
  const notify = systemdNotify({ exec, log, env });
  const store = inTime(createStore({ ...config, node, log }), clock, config.dir);
  const ports: EnginePorts = { config, store, exec, clock, log, signal };
  const checkpointer = resources.use(createCheckpointer(ports));
  const starter = createStarter(ports);
  await checkpointer.recover();

  const progress = createProgress({ checkpointer, store });
  const lookup = jobLookup(jobQuery(exec, slurmCommands(config.slurm.bin)));
  const retention = resources.use(
    startRetention({ store, lookup, node, clock, log, onRemoved: progress.lost }, signal),
  );
  const ended = (jobId: JobId): void => {
    retention.ended(jobId);
    starter.ended(jobId).catch((error: unknown) => {
      log.error({ job_id: jobId, err: error }, `job ${jobId}: its end could not be noted`);
    });
  };
  const signalProcess = (pid: number, name: NodeJS.Signals) => void process.kill(pid, name);
  const fence = resources.use(
    startFence(
      {
        config,
        store,
        exec,
        clock,
        log,
        slurm: slurmCommands(config.slurm.bin, LOOK_TIMEOUT_MS),
        freezer: createFreezer({ clock, proc: '/proc', signal: signalProcess }),
        proc: '/proc',
        signal: signalProcess,
        lockJob: checkpointer.lockJob,
        ended: starter.ended,
      },
      signal,
    ),
  );
  const server = await serveEngine({
    config,
    api: apiRoutes({ clusterId: config.clusterId, node, version, checkpointer, store, progress }),
    plugin: pluginRoutes(starter, ended),
    log,
  });
  resources.use(server);
  log.info({ version, node, store: config.dir, port: server.port }, 'ckptd-engine is up');
  await notify.ready(`checkpoints go to ${config.dir}`);
  starter.standBy();

  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  const fed = feedWatchdog({ notify, clock, log, usec: watchdogUsec(env), turned: loopTurns() }, signal);
  const parts = [retention.done, fence.done].map((part) => part.then(() => stopped));
  await Promise.race([stopped, ...parts, fed.then(() => stopped)]);
  await notify.stopping();
}

/** Whether timers, I/O and callbacks came round since it was last asked. */
function loopTurns(): () => boolean {
  let turned = true;
  return () => {
    const did = turned;
    turned = false;
    setImmediate(() => {
      turned = true;
    });
    return did;
  };
}
