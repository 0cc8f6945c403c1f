import type { FailureKind } from './connection/failure.ts';

/** Label of a request in counters and logs. */
export type Route = 'checkpoint' | 'restore' | 'status' | 'list';

/** One line of a Prometheus counter. */
export interface CounterSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What the API client did since the daemon came up. */
export interface Counters {
  /** An answer came, with this HTTP status. */
  answered(route: Route, status: number): void;
  failed(route: Route, kind: FailureKind | 'token'): void;
  /** An attempt was not the first of its call. */
  retried(route: Route): void;
  samples(): readonly CounterSample[];
}

export function createCounters(): Counters {
  const samples = new Map<string, { name: string; labels: Record<string, string>; value: number }>();
  const add = (name: string, labels: Record<string, string>) => {
    const key = `${name} ${Object.values(labels).join(' ')}`;
    const sample = samples.get(key) ?? { name, labels, value: 0 };
    sample.value += 1;
    samples.set(key, sample);
  };
  return {
    answered(route, status) {
      add('ckptd_api_requests_total', { route, class: `${Math.floor(status / 100)}xx` });
    },
    failed(route, kind) {
      add('ckptd_api_failures_total', { route, kind });
    },
    retried(route) {
      add('ckptd_api_retries_total', { route });
    },
    samples() {
      return [...samples.values()].map((sample) => ({ ...sample }));
    },
  };
}
