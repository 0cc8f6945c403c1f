import type { CounterSample } from '../perform/api/counters.ts';
import type { ProviderState, SourceCounters } from '../sources/notices/watch-notices.ts';
import { exposition, type Metric, type Sample } from '../sources/socket/exposition.ts';
import type { SocketCounters } from '../sources/socket/listen.ts';
import type { CommandCounter } from '../system/process/command-counters.ts';
import type { NoteKind } from '../vocabulary/decision.ts';
import type { State } from '../vocabulary/state.ts';

export interface Measured {
  readonly state: State;
  readonly notes: ReadonlyMap<NoteKind, number>;
  readonly effectsUnderWay: number;
  readonly commands: ReadonlyMap<string, Readonly<CommandCounter>>;
  readonly api: readonly CounterSample[];
  readonly socket: Readonly<SocketCounters> | null;
  readonly journalFailing: boolean;
  readonly slurmAway: boolean;
  readonly turns: number;
  /** The sources of notices. */
  readonly sources: readonly SourceCounters[];
  readonly providers: readonly ProviderState[];
}

/** `GET /metrics`. */
export function metricsText(measured: Measured): string {
  const { socket } = measured;
  const cpu = process.cpuUsage();
  return exposition([
    gauge('ckptd_jobs', 'Jobs that this daemon owns, by state.', jobsByState(measured.state)),
    gauge('ckptd_notices', 'Notices that stand, by source and kind.', noticesStanding(measured.state)),
    counter(
      'ckptd_notes_total',
      'What the daemon did or had to let go, by kind.',
      byLabel('kind', measured.notes),
    ),
    gauge('ckptd_effects_under_way', 'Effects that are not settled.', one(measured.effectsUnderWay)),
    gauge(
      'ckptd_journal_failing',
      '1 while the journal cannot be written.',
      one(Number(measured.journalFailing)),
    ),
    gauge('ckptd_slurm_away', '1 while Slurm does not answer.', one(Number(measured.slurmAway))),
    counter('ckptd_events_total', 'Events handled.', one(measured.turns)),
    gauge(
      'ckptd_notice_provider_watched',
      '1 for who is watched for notices, 0 for who was looked for and is not here.',
      measured.providers.map(({ provider, watched }) => ({ labels: { provider }, value: Number(watched) })),
    ),
    ...sourceMetrics(measured.sources),
    ...commandMetrics(measured.commands),
    ...apiMetrics(measured.api),
    counter('ckptd_socket_requests_total', 'Requests on the Unix socket.', one(socket?.requests ?? 0)),
    counter('ckptd_socket_bad_requests_total', 'Of them answered with a 4xx.', one(socket?.bad ?? 0)),
    gauge('process_resident_memory_bytes', 'Resident memory.', one(process.memoryUsage.rss())),
    counter('process_cpu_seconds_total', 'CPU of this process.', one((cpu.user + cpu.system) / 1e6)),
  ]);
}

function jobsByState(state: State): Sample[] {
  const counts = new Map<string, number>();
  for (const { facts, endedAs } of state.jobs.values()) {
    const name = endedAs ?? facts?.state ?? 'UNKNOWN';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return byLabel('state', counts);
}

function noticesStanding(state: State): Sample[] {
  const groups = Map.groupBy(state.notices.values(), ({ notice }) => `${notice.source} ${notice.kind}`);
  return [...groups.values()].flatMap((records) => {
    const [first] = records;
    if (first === undefined) return [];
    const { source, kind } = first.notice;
    return [{ labels: { source, kind }, value: records.length }];
  });
}

function sourceMetrics(sources: readonly SourceCounters[]): Metric[] {
  const of = (value: (source: SourceCounters) => number): Sample[] =>
    sources.map((each) => ({ labels: { source: each.source }, value: value(each) }));
  return [
    counter(
      'ckptd_notice_requests_total',
      'Looks at the sources of notices.',
      of(({ requests }) => requests),
    ),
    counter(
      'ckptd_notice_errors_total',
      'Of them without an answer that makes sense.',
      of(({ errors }) => errors),
    ),
    gauge(
      'ckptd_notice_source_away',
      '1 while a source of notices does not answer.',
      of(({ awaySince }) => Number(awaySince !== null)),
    ),
  ];
}

function commandMetrics(commands: Measured['commands']): Metric[] {
  const all = [...commands];
  return [
    counter(
      'ckptd_commands_total',
      'Commands run, by kind.',
      all.map(([kind, { runs }]) => ({ labels: { kind }, value: runs })),
    ),
    counter(
      'ckptd_command_failures_total',
      'Commands that failed, by kind and reason.',
      all.flatMap(([kind, { failures }]) =>
        Object.entries(failures).map(([why, value]) => ({ labels: { kind, why }, value })),
      ),
    ),
    counter(
      'ckptd_command_seconds_total',
      'Time that commands took, by kind.',
      all.map(([kind, { totalMs }]) => ({ labels: { kind }, value: totalMs / 1000 })),
    ),
  ];
}

/** Groups the API client's counters by name. */
function apiMetrics(samples: readonly CounterSample[]): Metric[] {
  const groups = Map.groupBy(samples, ({ name }) => name);
  return [...groups].map(([name, group]) => counter(name, 'Calls to the API.', group));
}

function byLabel(label: string, counts: ReadonlyMap<string, number>): Sample[] {
  return [...counts].map(([name, value]) => ({ labels: { [label]: name }, value }));
}

const one = (value: number): Sample[] => [{ value }];
const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name,
  help,
  type: 'gauge',
  samples,
});
const counter = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name,
  help,
  type: 'counter',
  samples,
});
