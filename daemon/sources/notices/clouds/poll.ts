import { doubled } from '../../../system/async/backoff.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { Notice } from '../../../vocabulary/notice.ts';
import type { SourcePorts } from '../notice-source.ts';
import type { PollResult } from './poll-result.ts';

export interface PollOptions {
  readonly source: string;
  /** From the start of one poll to that of the next. */
  readonly everyMs: Millis;
  /** Between polls of a source that does not answer: short compared to the time that its notices leave. */
  readonly longestPauseMs: Millis;
}

const FIRST_RETRY: Millis = 2_000;

/** Polls a source and emits its active notices, until the signal aborts; rejects with its reason. */
export async function poll(
  options: PollOptions,
  look: (signal: AbortSignal) => Promise<PollResult>,
  ports: SourcePorts,
  signal: AbortSignal,
): Promise<never> {
  const { source, everyMs, longestPauseMs } = options;
  const { clock, health, random } = ports;
  let stood: readonly Notice[] = [];
  for (;;) {
    const startedAt = clock.now();
    const found = await look(signal);
    if (found.ok) {
      const doubt = found.doubt ?? null;
      stood = doubt === null ? found.standing : union(found.standing, stood);
      if (doubt === null) health.answered();
      else health.failed(doubt);
      // A doubtful answer without notices is ignored.
      if (doubt === null || stood.length > 0) {
        ports.emit({ type: 'notices', at: clock.now(), source, standing: stood });
      }
    } else if (found.expected === true) health.odd(found.problem);
    else health.failed(found.problem);
    const rest = Math.max(everyMs - (clock.now() - startedAt), Math.min(everyMs, 100));
    await clock.sleep(
      health.inRow === 0
        ? rest
        : retryPause(health.inRow, Math.min(everyMs, FIRST_RETRY), longestPauseMs, random),
      signal,
    );
  }
}

/** Doubles with each failure from `firstMs`, less a random part of up to a half. Never below a second. */
export function retryPause(
  failures: number,
  firstMs: Millis,
  longestMs: Millis,
  random: () => number,
): Millis {
  const bound = doubled(failures - 1, firstMs, Math.max(firstMs, longestMs));
  return Math.max(Math.min(1_000, bound), Math.round(bound * (1 - random() / 2)));
}

function union(news: readonly Notice[], old: readonly Notice[]): readonly Notice[] {
  return [...new Map([...old, ...news].map((notice) => [notice.id, notice])).values()];
}
