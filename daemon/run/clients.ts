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

export interface ClientPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly state: () => State;
}

/** The clients of one configuration. */
interface Made {
  readonly exec: WatchedExec;
  readonly commands: SlurmCommands;
  readonly queryJob: QueryJob;
  readonly slurm: SlurmActions;
  readonly api: ApiClient;
}

/**
 * The clients of Slurm and of the API, and what runs commands. `replace` makes them again from another configuration:
 * calls that are under way end on the old clients, and every new call takes the new ones. So nobody should keep `api`
 * or `slurm` beyond one call; `exec` is one object for good.
 */
export class Clients {
  readonly exec: Exec;
  readonly #ports: ClientPorts;
  #made: Made;

  constructor(config: Config, ports: ClientPorts) {
    this.#ports = ports;
    this.#made = makeClients(config, ports);
    this.exec = { run: (command, signal) => this.#made.exec.run(command, signal) };
  }

  get api(): ActionsApi {
    return this.#made.api;
  }

  get slurm(): SlurmActions {
    return this.#made.slurm;
  }

  get commands(): SlurmCommands {
    return this.#made.commands;
  }

  get queryJob(): QueryJob {
    return this.#made.queryJob;
  }

  /** Slurm's programs that are missing. */
  missing(): readonly string[] {
    return this.#made.exec.missing();
  }

  /** Since the newest configuration was loaded. */
  counters(): { commands: ReadonlyMap<string, Readonly<CommandCounter>>; api: readonly CounterSample[] } {
    return { commands: this.#made.exec.counters(), api: this.#made.api.counters() };
  }

  replace(config: Config): void {
    // The old client is not closed: its idle connections end by themselves, the others with their calls.
    this.#made = makeClients(config, this.#ports);
  }

  close(): Promise<void> {
    return this.#made.api.close();
  }
}

function makeClients(config: Config, { clock, log, env, state }: ClientPorts): Made {
  const exec = watchForMissing(systemExec({ slurmConf: config.slurm.conf }), { clock, log });
  const commands = slurmCommands(config.slurm.bin);
  const queryJob = circuitBreaker(jobQuery(exec, commands), clock, placeOf(config.slurm.node));
  const slurm = slurmActions({ clock, exec, slurm: commands, look: queryJob }, (jobId) => {
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
  return { exec, commands, queryJob, slurm, api };
}
