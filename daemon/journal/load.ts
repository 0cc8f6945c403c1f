import type { DatabaseSync } from 'node:sqlite';
import type { GenericSchema } from 'valibot';
import type { Log } from '../system/ports.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { JobRecord, NodeRecord, NoticeRecord, OwnDrain, State } from '../vocabulary/state.ts';
import type { OutboxEntry } from './entries.ts';
import { effectRecord, jobRecord, nodeRecord, noticeRecord, ownDrain, readRecord } from './records.ts';

export interface Loaded {
  /** Null when nothing was ever committed. Jobs and notices come in the order of their ids, nodes of their names. */
  readonly state: State | null;
  /** In the order in which they were decided. */
  readonly outbox: OutboxEntry[];
}

/** Each query names its columns `key` and `json`, whatever they are called in the table. */
const UNSETTLED = `SELECT id AS key, effect AS json, created_at AS createdAt, attempts, started_at AS startedAt
  FROM effect WHERE settled_at IS NULL ORDER BY seq`;
interface EffectRow {
  key: string;
  json: string;
  createdAt: number;
  attempts: number;
  startedAt: number | null;
}

/**
 * Reads all that is current. A row in another shape is logged whole and deleted: a daemon that cannot start saves
 * no job. Throws SQLite's errors.
 */
export function loadAll(db: DatabaseSync, log: Log): Loaded {
  /** The good rows of a query, and the value in each. */
  const read = <T, R extends { key: string | number; json: string }>(
    { table, keyColumn, sql }: { table: string; keyColumn: string; sql: string },
    schema: GenericSchema<unknown, T>,
  ): { row: R; value: T }[] => {
    const rows = db.prepare(sql).all() as unknown as R[];
    return rows.flatMap((row) => {
      const result = readRecord(schema, row.json);
      if ('value' in result) return [{ row, value: result.value }];
      log.error(
        { table, key: row.key, problem: result.problem, row: row.json },
        `journal: ${table} ${row.key} is unreadable (${result.problem}) and is dropped`,
      );
      db.prepare(`DELETE FROM ${table} WHERE ${keyColumn} = ?`).run(row.key);
      return [];
    });
  };

  const jobs = read<JobRecord, { key: number; json: string }>(
    {
      table: 'job',
      keyColumn: 'job_id',
      sql: 'SELECT job_id AS key, record AS json FROM job ORDER BY job_id',
    },
    jobRecord,
  );
  const nodes = read<NodeRecord, { key: string; json: string }>(
    { table: 'node', keyColumn: 'node', sql: 'SELECT node AS key, record AS json FROM node ORDER BY node' },
    nodeRecord,
  );
  const notices = read<NoticeRecord, { key: string; json: string }>(
    { table: 'notice', keyColumn: 'id', sql: 'SELECT id AS key, record AS json FROM notice ORDER BY id' },
    noticeRecord,
  );
  const [drain] = read<OwnDrain, { key: string; json: string }>(
    {
      table: 'meta',
      keyColumn: 'key',
      sql: "SELECT key, value AS json FROM meta WHERE key = 'ownDrain'",
    },
    ownDrain,
  );
  const effects = read<Effect, EffectRow>({ table: 'effect', keyColumn: 'id', sql: UNSETTLED }, effectRecord);
  const clock = db.prepare("SELECT value FROM meta WHERE key = 'clock'").get() as
    | { value: string }
    | undefined;

  return {
    state:
      clock === undefined
        ? null
        : {
            clock: Number(clock.value),
            jobs: new Map(jobs.map(({ row, value }) => [row.key, value])),
            nodes: new Map(nodes.map(({ row, value }) => [row.key, value])),
            notices: new Map(notices.map(({ row, value }) => [row.key, value])),
            ownDrain: drain?.value ?? null,
          },
    outbox: effects.map(({ row: { createdAt, attempts, startedAt }, value }) => ({
      effect: value,
      createdAt,
      attempts,
      startedAt,
    })),
  };
}
