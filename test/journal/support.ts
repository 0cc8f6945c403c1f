import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Commit } from '../../daemon/journal/entries.ts';
import { type Journal, openJournal } from '../../daemon/journal/journal.ts';
import type { Log } from '../../daemon/system/ports.ts';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import type { JobRecord, State } from '../../daemon/vocabulary/state.ts';

export const EMPTY: State = {
  clock: 0,
  jobs: new Map(),
  nodes: new Map(),
  notices: new Map(),
  ownDrain: null,
};

/** A folder of its own that goes at the end of the scope. */
export function tempDir(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ckptd-journal-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface MemoryLog extends Log {
  readonly lines: { level: string; fields: object; message: string }[];
}

export function memoryLog(): MemoryLog {
  const lines: MemoryLog['lines'] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  };
}

export function open(dir: string, log: Log = memoryLog(), now = 0): Journal & Disposable {
  const journal = openJournal({ dir, log, now });
  return { ...journal, [Symbol.dispose]: () => journal.close() };
}

export function job(jobId: number, restarts = 0): JobRecord {
  return {
    facts: null,
    jobId,
    restarts,
    override: {},
    heartbeat: { dueAt: null, slotAt: null, waiting: false, penalty: 0, skip: 0 },
    asked: 0,
    checkpoint: null,
    ready: null,
    plan: null,
    requeueDisabledByUs: false,
    endedAt: null,
    endedAs: null,
  };
}

export function withJobs(clock: number, ...records: JobRecord[]): State {
  return { ...EMPTY, clock, jobs: new Map(records.map((record) => [record.jobId, record])) };
}

export function endSource(id: string, jobId = 1): Effect {
  return { kind: 'end-source', id, jobId, restarts: 0 };
}

/** A commit in which nothing happens but what is given. */
export function commitOf(given: Partial<Commit>): Commit {
  return {
    event: { type: 'tick', at: 1 },
    before: EMPTY,
    after: EMPTY,
    effects: [],
    settled: null,
    history: [],
    ...given,
  };
}
