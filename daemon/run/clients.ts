import type { Config } from '../config/config.ts';
import { type ApiClient, createApi } from '../perform/api/api.ts';
import type { CounterSample } from '../perform/api/counters.ts';
import { tokenSource } from '../perform/api/token.ts';
import type { ActionsApi, SlurmActions } from '../perform/ports.ts';
import { slurmActions } from '../perform/slurm/slurm-actions.ts';
import { circuitBreaker } from '../slurm/circuit-breaker.ts';
import { type SlurmCommands, slurmCommands } from '../slurm/commands.ts';
import { jobQuery, type QueryJob } from '../slurm/query-job.ts';
import { placeOf } from '../system/node-phase.ts';
import type { Clock, Exec, Log } from '../system/ports.ts';
import type { CommandCounter } from '../system/process/command-counters.ts';
import { systemExec } from '../system/process/exec.ts';
import type { State } from '../vocabulary/state.ts';
import { type WatchedExec, watchForMissing } from './missing-programs.ts';

export interface ReachPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly state: () => State;
}

/** What reaches out of the daemon, made of one configuration. */
interface Way {
  readonly exec: WatchedExec;
  readonly commands: SlurmCommands;
  readonly look: QueryJob;
  readonly slurm: SlurmActions;
  readonly api: ApiClient;
}

/**
 * The daemon's ways out: commands, Slurm and the API. `replace` makes them anew of another configuration; what is
 * under way on the old ones comes to its end there, and every new call takes the new ones.
 */
export class Reach {
  readonly api: ActionsApi;
  readonly slurm: SlurmActions;
  readonly exec: Exec;
  readonly #ports: ReachPorts;
  #way: Way;

  constructor(config: Config, ports: ReachPorts) {
    this.#ports = ports;
    this.#way = wayOf(config, ports);
    this.exec = { run: (command, signal) => this.#way.exec.run(command, signal) };
    this.api = {
      checkpoint: (ask, signal) => this.#way.api.checkpoint(ask, signal),
      awaitReady: (ask, signal) => this.#way.api.awaitReady(ask, signal),
      restoreOnce: (ask, signal) => this.#way.api.restoreOnce(ask, signal),
    };
    this.slurm = {
      lookup: (jobId, signal, withinMs) => this.#way.slurm.lookup(jobId, signal, withinMs),
      setRequeue: (jobId, restarts, requeue, signal, withinMs) =>
        this.#way.slurm.setRequeue(jobId, restarts, requeue, signal, withinMs),
      endRun: (jobId, restarts, signal) => this.#way.slurm.endRun(jobId, restarts, signal),
      lookNode: (node, signal) => this.#way.slurm.lookNode(node, signal),
      drainNode: (node, reason, signal) => this.#way.slurm.drainNode(node, reason, signal),
      undrainNode: (node, signal) => this.#way.slurm.undrainNode(node, signal),
      lookForRestored: (run, signal) => this.#way.slurm.lookForRestored(run, signal),
    };
  }

  get commands(): SlurmCommands {
    return this.#way.commands;
  }

  get look(): QueryJob {
    return this.#way.look;
  }

  /** Slurm's programs that are not there. */
  missing(): readonly string[] {
    return this.#way.exec.missing();
  }

  /** Since the newest configuration was loaded. */
  counters(): { commands: ReadonlyMap<string, Readonly<CommandCounter>>; api: readonly CounterSample[] } {
    return { commands: this.#way.exec.counters(), api: this.#way.api.counters() };
  }

  replace(config: Config): void {
    // The old client is not closed: its idle connections end by themselves, the others with their calls.
    this.#way = wayOf(config, this.#ports);
  }

  close(): Promise<void> {
    return this.#way.api.close();
  }
}

function wayOf(config: Config, { clock, log, env, state }: ReachPorts): Way {
  const exec = watchForMissing(systemExec({ slurmConf: config.slurm.conf }), { clock, log });
  const commands = slurmCommands(config.slurm.bin);
  const look = circuitBreaker(jobQuery(exec, commands), clock, placeOf(config.slurm.node));
  const slurm = slurmActions({ clock, exec, slurm: commands, look }, (jobId) => {
    const facts = state().jobs.get(jobId)?.facts;
    return facts ? { uid: facts.uid, name: facts.name } : null;
  });
  const api = createApi({
    endpoint: config.api.url,
    clusterId: config.clusterId,
    timeoutMs: config.api.timeout,
    token: tokenSource(config.api.tokenFile, env),
    caFile: config.api.caFile,
    env,
    clock,
    log,
    random: Math.random,
  });
  return { exec, commands, look, slurm, api };
}
