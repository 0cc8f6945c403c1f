/*
 * The host's own shutdown, as systemd-logind announces it. A child holds logind's delay inhibitor and prints its
 * signals. While it lives a shutdown waits, up to InhibitDelayMaxSec, so it is ended as soon as all jobs are saved. A
 * signal only triggers a query: logind's answer counts.
 *
 * A shutdown that does not go through logind (`reboot --force`, a container's manager, a power cut) is not announced.
 */
import { readFile } from 'node:fs/promises';
import { doubled } from '../../../system/async/backoff.ts';
import { retry } from '../../../system/async/retry.ts';
import type { EpochMs, Millis } from '../../../vocabulary/job.ts';
import type { Notice } from '../../../vocabulary/notice.ts';
import { makeNotice } from '../notice.ts';
import type { NoticeSource, SourcePorts } from '../notice-source.ts';
import { type LogindState, readState, stateCommand } from './logind-bus.ts';
import { holdBack } from './logind-monitor.ts';

const NAME = 'logind';
/** A host whose logind does not answer this often has none. */
const LOOKS_AT_START = 4;
const FIRST_PAUSE: Millis = 500;
const LONGEST_PAUSE: Millis = 60_000;
/** A shutdown that is under way may still be cancelled. */
const PAUSE_WHILE_PREPARING: Millis = 1_000;

export interface LogindOptions {
  /** Where `systemd-inhibit` and `busctl` are. */
  readonly bin?: string;
  /** Identifies this boot. */
  readonly bootIdFile?: string;
}

export function logindSource(options: LogindOptions = {}): NoticeSource {
  const { bin = '/usr/bin', bootIdFile = '/proc/sys/kernel/random/boot_id' } = options;
  let watch: Watch | null = null;
  return {
    name: NAME,
    async watch(ports, signal) {
      watch = new Watch(ports, bin, await bootId(bootIdFile));
      await watch.run(signal);
    },
    /** The shutdown need not wait any longer. */
    approve: (noticeId) => watch?.approve(noticeId),
  };
}

class Watch {
  readonly #ports: SourcePorts;
  readonly #bin: string;
  readonly #bootId: string;
  /** The shutdown that is announced. */
  #notice: Notice | null = null;
  #delayMs: Millis | null = null;
  /** Ends the child, and with it the inhibitor. */
  #child = new AbortController();

  constructor(ports: SourcePorts, bin: string, bootId: string) {
    this.#ports = ports;
    this.#bin = bin;
    this.#bootId = bootId;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, health } = this.#ports;
    if (!(await this.#isThere(signal))) return;
    for (let failures = 0; ; failures++) {
      const listened = await this.#hold(signal);
      if (listened) failures = 0;
      const pause = doubled(failures, FIRST_PAUSE, LONGEST_PAUSE);
      await clock.sleep(this.#notice === null ? pause : PAUSE_WHILE_PREPARING, signal);
      // Without a child, this query is the only way to learn of a shutdown.
      const state = await this.#ask(signal);
      if (typeof state === 'string') health.failed(state);
      else this.#tell(state, clock.now(), signal);
    }
  }

  approve(noticeId: string): void {
    if (noticeId === this.#notice?.id) this.#child.abort();
  }

  #isThere(signal: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#ports;
    return retry({ clock, signal }, async (looks) => {
      const state = await this.#ask(signal);
      if (typeof state !== 'string') {
        this.#tell(state, clock.now(), signal);
        return { done: true };
      }
      if (looks === LOOKS_AT_START - 1) {
        const fields = { source: NAME, problem: state };
        log.debug(fields, 'no systemd-logind here to announce a shutdown of this host');
        return { done: false };
      }
      return { againAfter: doubled(looks, 1_000, 60_000) };
    });
  }

  /** Runs the child until it ends, by itself or because it may. @returns true if it had begun to listen. */
  async #hold(signal: AbortSignal): Promise<boolean> {
    const { clock, log, health } = this.#ports;
    this.#child = new AbortController();
    let listened = false;
    const problem = await holdBack(
      {
        clock,
        bin: this.#bin,
        look: async (either) => {
          const state = await this.#ask(either);
          if (typeof state === 'string') return false;
          this.#tell(state, clock.now(), signal);
          return true;
        },
        onListening: () => {
          listened = true;
          health.answered();
          const fields = { delay_max_ms: this.#delayMs };
          log.info(fields, 'a shutdown of this host waits until its jobs are saved');
        },
        onSignal: async (preparing, either) => {
          const at = clock.now();
          const state = await this.#ask(either);
          // The bus verifies the sender, so the signal is enough if logind does not answer.
          this.#tell(typeof state === 'string' ? { preparing, delayMs: this.#delayMs } : state, at, signal);
        },
      },
      AbortSignal.any([signal, this.#child.signal]),
    );
    signal.throwIfAborted();
    // During a shutdown the child may end, and logind grants no other inhibitor.
    if (this.#notice === null) health.failed(problem);
    else log.debug({ problem }, 'the shutdown is not delayed any more');
    return listened;
  }

  async #ask(signal: AbortSignal): Promise<LogindState | string> {
    this.#ports.health.asked();
    const result = await this.#ports.exec.run(stateCommand(this.#bin), signal);
    signal.throwIfAborted();
    return readState(result);
  }

  /** @param at when the state began. */
  #tell({ preparing, delayMs }: LogindState, at: EpochMs, signal: AbortSignal): void {
    this.#delayMs = delayMs;
    if (!preparing) this.#notice = null;
    else this.#notice ??= this.#begin(delayMs === null ? null : at + delayMs, signal);
    const standing = this.#notice === null ? [] : [this.#notice];
    this.#ports.emit({ type: 'notices', at: this.#ports.clock.now(), source: NAME, standing });
  }

  #begin(deadline: EpochMs | null, signal: AbortSignal): Notice {
    const { clock } = this.#ports;
    const reason = 'this host shuts down';
    const notice = makeNotice({ source: NAME, kind: 'termination', name: this.#bootId, deadline, reason });
    // logind does not wait any longer than that either.
    if (deadline !== null) {
      clock.sleep(deadline - clock.now(), signal).then(
        () => this.approve(notice.id),
        () => {},
      );
    }
    return notice;
  }
}

async function bootId(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim().slice(0, 64);
}
