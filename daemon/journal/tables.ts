import type { DatabaseSync } from 'node:sqlite';
import type { HistoryLine } from './entries.ts';
import { difference, type Unwritten } from './unwritten.ts';

/** The prepared statements; making them fails when the tables are not ours. */
export type Tables = ReturnType<typeof prepareTables>;

export function prepareTables(db: DatabaseSync) {
  return {
    db,
    putMeta: db.prepare(
      'INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),
    dropMeta: db.prepare('DELETE FROM meta WHERE key = ?'),
    putJob: db.prepare(
      'INSERT INTO job VALUES (?, ?) ON CONFLICT (job_id) DO UPDATE SET record = excluded.record',
    ),
    dropJob: db.prepare('DELETE FROM job WHERE job_id = ?'),
    putNode: db.prepare(
      'INSERT INTO node VALUES (?, ?) ON CONFLICT (node) DO UPDATE SET record = excluded.record',
    ),
    dropNode: db.prepare('DELETE FROM node WHERE node = ?'),
    putNotice: db.prepare(
      'INSERT INTO notice VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
    ),
    dropNotice: db.prepare('DELETE FROM notice WHERE id = ?'),
    addEffect: db.prepare(
      'INSERT INTO effect (id, effect, created_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING',
    ),
    // The first start counts: an answer that never came may be older than the last attempt.
    startEffect: db.prepare(
      `UPDATE effect SET attempts = attempts + 1, started_at = coalesce(started_at, ?)
       WHERE id = ? AND settled_at IS NULL`,
    ),
    settleEffect: db.prepare(
      'UPDATE effect SET settled_at = ?, outcome = ? WHERE id = ? AND settled_at IS NULL',
    ),
    addLine: db.prepare(
      'INSERT INTO history (at, job_id, run, kind, message, details) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    lines: db.prepare('SELECT * FROM history ORDER BY seq DESC LIMIT ?'),
    linesOfJob: db.prepare('SELECT * FROM history WHERE job_id = ? ORDER BY seq DESC LIMIT ?'),
  };
}

/** Runs `write` in one transaction: all of it is on the disk when this returns, none of it when it throws. */
export function transaction<T>(db: DatabaseSync, write: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = write();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some errors (https://sqlite.org/lang_transaction.html).
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Writes everything; returns the ids of the effects that were not there before. */
export function writeAll(tables: Tables, { before, after, ...all }: Unwritten): Set<string> {
  const jobs = difference(before.jobs, after.jobs);
  for (const [jobId, record] of jobs.put) tables.putJob.run(jobId, JSON.stringify(record));
  for (const jobId of jobs.gone) tables.dropJob.run(jobId);
  const nodes = difference(before.nodes, after.nodes);
  for (const [node, record] of nodes.put) tables.putNode.run(node, JSON.stringify(record));
  for (const node of nodes.gone) tables.dropNode.run(node);
  const notices = difference(before.notices, after.notices);
  for (const [id, record] of notices.put) tables.putNotice.run(id, JSON.stringify(record));
  for (const id of notices.gone) tables.dropNotice.run(id);
  if (after.ownDrain !== before.ownDrain) {
    if (after.ownDrain === null) tables.dropMeta.run('ownDrain');
    else tables.putMeta.run('ownDrain', JSON.stringify(after.ownDrain));
  }
  tables.putMeta.run('clock', JSON.stringify(after.clock));

  const added = new Set<string>();
  for (const { effect, at } of all.effects) {
    if (tables.addEffect.run(effect.id, JSON.stringify(effect), at).changes === 1) added.add(effect.id);
  }
  for (const { id, at } of all.starts) tables.startEffect.run(at, id);
  for (const { id, at, outcome } of all.settlements) tables.settleEffect.run(at, JSON.stringify(outcome), id);
  for (const line of all.lines) {
    tables.addLine.run(line.at, line.jobId, line.run, line.kind, line.message, JSON.stringify(line.details));
  }
  return added;
}

interface LineRow {
  seq: number;
  at: number;
  job_id: number | null;
  run: string | null;
  kind: string;
  message: string;
  details: string;
}

/** The newest `limit` lines, the oldest of them first. */
export function readHistory(tables: Tables, jobId: number | undefined, limit: number): HistoryLine[] {
  const rows = jobId === undefined ? tables.lines.all(limit) : tables.linesOfJob.all(jobId, limit);
  return (rows as unknown as LineRow[]).reverse().map(({ job_id, details, ...line }) => {
    return { ...line, jobId: job_id, details: JSON.parse(details) as object };
  });
}
