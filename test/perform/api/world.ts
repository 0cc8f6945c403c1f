import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { type ApiClient, type ApiDeps, createApi } from '../../../daemon/perform/api/api.ts';
import type { Clock, Log } from '../../../daemon/system/ports.ts';
import { StandIn, type StandInOptions } from '../../support/cedana/stand-in.ts';

export const TOKEN = 'tok-5f1d0c9e7b';
export const CLUSTER = '0b7e35a6-1f8a-4a57-9c4a-2f4d5c1d7e90';
export const ACTION = '6f0d6a6e-52b5-4c0e-a2f3-1b6f6c1d2e3f';
/** For calls that no test aborts. */
export const NEVER = new AbortController().signal;

/** Time that passes only by sleeping, and then at once. */
export class FakeClock implements Clock {
  time = Date.parse('2026-11-23T12:00:00Z');
  readonly sleeps: number[] = [];
  /** Runs while somebody sleeps. */
  meanwhile: () => void | Promise<void> = () => {};

  now(): number {
    return this.time;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(ms);
    await this.meanwhile();
    this.time += ms;
    await setImmediate();
    signal?.throwIfAborted();
  }
}

/** A log that keeps its lines. */
export class Lines implements Log {
  readonly all: { level: keyof Log; fields: object; message: string }[] = [];
  readonly debug = this.#at('debug');
  readonly info = this.#at('info');
  readonly warn = this.#at('warn');
  readonly error = this.#at('error');
  readonly fatal = this.#at('fatal');

  #at(level: keyof Log) {
    return (fields: object, message: string) => {
      this.all.push({ level, fields, message });
    };
  }

  /** The messages of one level. */
  of(level: keyof Log): string[] {
    return this.all.filter((line) => line.level === level).map((line) => line.message);
  }
}

export interface World extends AsyncDisposable {
  readonly standIn: StandIn;
  readonly api: ApiClient;
  readonly clock: FakeClock;
  readonly log: Lines;
  /** A checkpoint with a time limit `forMs` from now. */
  checkpoint(forMs?: number, signal?: AbortSignal): ReturnType<ApiClient['checkpoint']>;
  restore(signal?: AbortSignal): ReturnType<ApiClient['restoreOnce']>;
}

export interface WorldOptions {
  readonly server?: Partial<StandInOptions>;
  readonly api?: Partial<ApiDeps>;
}

/**
 * A stand-in and a client of it. At its end the stand-in must have seen nothing but the contract, and no
 * connection may be left.
 */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const standIn = await new StandIn({ listen: { port: 0 }, ...options.server }).listen();
  standIn.service.behaviour.tokens = [TOKEN];
  standIn.service.behaviour.strictRestore = false;
  const clock = new FakeClock();
  const log = new Lines();
  const api = createApi({
    endpoint: standIn.url,
    clusterId: CLUSTER,
    timeoutMs: 10_000,
    token: { read: async () => TOKEN },
    env: {},
    clock,
    log,
    random: () => 0.5,
    ...options.api,
  });
  return {
    standIn,
    api,
    clock,
    log,
    checkpoint: (forMs = 600_000, signal = NEVER) =>
      api.checkpoint(
        {
          jobId: 4711,
          jobName: 'läuft',
          kind: 'simple',
          reason: 'heartbeat',
          expiresAt: clock.now() + forMs,
        },
        signal,
      ),
    restore: (signal = NEVER) =>
      api.restoreOnce({ actionId: ACTION, clusterId: CLUSTER, reason: 'nodeTermination' }, signal),
    async [Symbol.asyncDispose]() {
      await api.close();
      await standIn[Symbol.asyncDispose]();
      expect(standIn.violations).toEqual([]);
      expect(inspect(log.all, { depth: 10 })).not.toContain(TOKEN);
    },
  };
}

/** Waits until `condition` holds; the test's own time limit is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
