import { vi } from 'vitest';
import type { NoticeProvider, NoticesConfig } from '../../../daemon/config/notices-config.ts';
import { type NoticeWatch, watchNotices } from '../../../daemon/sources/notices/watch-notices.ts';
import { systemClock } from '../../../daemon/system/clock.ts';
import type { Clock, CommandResult } from '../../../daemon/system/ports.ts';
import type { NoticesEvent } from '../../../daemon/vocabulary/event.ts';
import type { Notice } from '../../../daemon/vocabulary/notice.ts';
import { config as parse } from '../../config/support.ts';
import { type LogLine, recordingLog } from '../../support/log.ts';

/** logind is nowhere. */
const NO_COMMAND: CommandResult = {
  ok: false,
  why: 'missing',
  exitCode: null,
  stdout: Buffer.alloc(0),
  stderr: '',
  message: 'no such program',
};

/** Parts of `notices`, below what a file may say: tests have no time for a poll every two seconds. */
export type Changes = { readonly [Key in keyof NoticesConfig]?: Partial<NoticesConfig[Key]> };

/** Polls so quick that a test does not wait for them. */
const QUICK = {
  ec2: { poll: 20, pollOthers: 20, timeout: 10_000 },
  gcp: { wait: 1000, timeout: 10_000 },
  azure: { poll: 20, timeout: 10_000, firstTimeout: 20_000 },
  alibaba: { poll: 20, timeout: 10_000 },
};

export function noticesConfig(providers: readonly NoticeProvider[], changes: Changes = {}): NoticesConfig {
  const defaults = parse('').notices;
  const block = <Key extends keyof typeof QUICK>(key: Key) => ({
    ...defaults[key],
    ...QUICK[key],
    ...(changes[key] as object | undefined),
  });
  return {
    ...defaults,
    ...changes,
    providers,
    ec2: block('ec2'),
    gcp: block('gcp'),
    azure: block('azure'),
    alibaba: block('alibaba'),
  } as NoticesConfig;
}

/** The sources of notices at work, and what they said. */
export class Watched implements AsyncDisposable {
  readonly events: NoticesEvent[] = [];
  readonly log = recordingLog();
  readonly watch: NoticeWatch;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor(config: NoticesConfig, clock: Clock = systemClock()) {
    const emit = (event: NoticesEvent) => {
      this.events.push(event);
      for (const wake of [...this.#waiting]) wake();
    };
    const exec = { run: async () => NO_COMMAND };
    const ports = { clock, log: this.log, exec, emit, node: 'n1', random: () => 0.5 };
    this.watch = watchNotices(config, ports, this.#stop.signal);
  }

  of(source: string): readonly NoticesEvent[] {
    return this.events.filter((event) => event.source === source);
  }

  /** What a source said so many words in, counted from 1; waits for it. */
  async word(source: string, count: number): Promise<readonly Notice[]> {
    while (this.of(source).length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
    }
    return this.of(source)[count - 1]!.standing;
  }

  warnings(): readonly LogLine[] {
    return this.log.lines.filter(({ level }) => level === 'warn' || level === 'error');
  }

  /** Resolves once `auto` knows of so many providers whether they are here. */
  async detected(count: number): Promise<void> {
    const told = () => this.log.lines.filter(({ fields }) => 'provider' in fields).length >= count;
    await vi.waitUntil(told, { timeout: 30_000, interval: 5 });
  }

  counters(source: string) {
    return this.watch.counters().find((one) => one.source === source);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.watch.done;
  }
}
