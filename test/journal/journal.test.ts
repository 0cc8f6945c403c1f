import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { MAX_HISTORY, MAX_SETTLED } from '../../daemon/journal/retention.ts';
import { commitOf, EMPTY, endSource, job, memoryLog, open, tempDir, withJobs } from './support.ts';

test('a new journal holds nothing', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  expect(journal.load()).toEqual({ state: null, outbox: [] });
  expect(journal.history({ limit: 10 })).toEqual([]);
});

test('nobody else may read it', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  journal.commit(commitOf({ after: withJobs(1, job(1)) }));
  const modes = readdirSync(dir.path).map((file) => [file, statSync(join(dir.path, file)).mode & 0o777]);
  expect(modes).toEqual([
    ['journal.db', 0o600],
    ['journal.db-wal', 0o600],
  ]);
});

test('records, deletions, the clock and the outbox are there after a restart', () => {
  using dir = tempDir();
  const first = withJobs(5, job(1), job(2), job(3));
  const second = { ...withJobs(9, first.jobs.get(1)!, job(2, 1)), nodes: first.nodes };
  {
    using journal = open(dir.path);
    journal.commit(commitOf({ after: first, event: { type: 'started', at: 5 } }));
    const { fresh } = journal.commit(
      commitOf({
        before: first,
        after: second,
        event: { type: 'tick', at: 9 },
        effects: [endSource('b'), endSource('a')],
      }),
    );
    expect(fresh.map(({ id }) => id)).toEqual(['b', 'a']);
    journal.started('a', 10);
    journal.started('a', 11);
  }
  using journal = open(dir.path);
  expect(journal.load()).toEqual({
    state: second,
    outbox: [
      { effect: endSource('b'), createdAt: 9, attempts: 0, startedAt: null },
      { effect: endSource('a'), createdAt: 9, attempts: 2, startedAt: 10 },
    ],
  });
});

test('an effect is fresh once: not again while it is in the outbox, nor when it is settled, nor after a restart', () => {
  using dir = tempDir();
  const effect = endSource('e');
  const settled = { type: 'settled', at: 3, effect, outcome: { type: 'done' } } as const;
  {
    using journal = open(dir.path);
    expect(journal.commit(commitOf({ effects: [effect] })).fresh).toEqual([effect]);
    expect(journal.commit(commitOf({ effects: [effect] })).fresh).toEqual([]);
    journal.commit(commitOf({ event: settled, settled: 'e' }));
    expect(journal.load().outbox).toEqual([]);
    expect(journal.commit(commitOf({ effects: [effect] })).fresh).toEqual([]);
  }
  using journal = open(dir.path);
  expect(journal.commit(commitOf({ effects: [effect] })).fresh).toEqual([]);
  expect(journal.load().outbox).toEqual([]);
});

test('an effect that is settled, or was never decided, is not to be performed', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  journal.commit(commitOf({ effects: [endSource('e'), endSource('f')] }));
  journal.commit(commitOf({ settled: 'e' }));
  for (const id of ['e', 'never-there']) {
    expect(() => journal.started(id, 2)).toThrow(expect.objectContaining({ code: 'not-in-outbox' }));
  }
  expect(journal.load().outbox.map(({ effect, attempts }) => [effect.id, attempts])).toEqual([['f', 0]]);
});

test('what changes nothing is not written', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  const state = withJobs(1, job(1));
  journal.commit(commitOf({ after: state }));
  const size = () => statSync(join(dir.path, 'journal.db-wal')).size;
  const before = size();
  const later = { ...state, clock: 2, jobs: new Map(state.jobs) };
  expect(journal.commit(commitOf({ event: { type: 'tick', at: 2 }, before: state, after: later }))).toEqual({
    fresh: [],
  });
  expect(size()).toBe(before);
});

test('a hook and a request by hand leave a line even where nothing changes', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  journal.commit(
    commitOf({ event: { type: 'prolog', at: 7, jobId: 4, restarts: 1, override: { off: true } } }),
  );
  journal.commit(commitOf({ event: { type: 'epilog', at: 8, jobId: 4, restarts: 2 } }));
  journal.commit(
    commitOf({ event: { type: 'ask-restore', at: 9, jobId: 4, actionId: null, requestId: 'r' } }),
  );
  expect(journal.history({ limit: 10 })).toMatchObject([
    { seq: 1, at: 7, jobId: 4, run: '4.1', kind: 'prolog', details: { override: { off: true } } },
    { seq: 2, at: 8, jobId: 4, run: '4.2', kind: 'epilog' },
    { seq: 3, at: 9, jobId: 4, kind: 'ask-restore' },
  ]);
});

test('history: the newest lines of all or of one job, in their order, whatever their text', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  const message = 'a\0b\n"\u2028ü🦀';
  const line = (jobId: number | null, at: number) => ({
    at,
    jobId,
    run: null,
    kind: 'k',
    message,
    details: { message },
  });
  journal.commit(commitOf({ history: [line(1, 1), line(2, 2), line(null, 3), line(1, 4)] }));
  expect(journal.history({ limit: 2 })).toEqual([
    { seq: 3, ...line(null, 3) },
    { seq: 4, ...line(1, 4) },
  ]);
  expect(journal.history({ jobId: 1, limit: 10 }).map(({ at }) => at)).toEqual([1, 4]);
});

test('a second daemon on the same folder is refused, and the first one is not hurt', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  expect(() => open(dir.path)).toThrow(
    expect.objectContaining({ code: 'locked', message: expect.stringContaining('second ckptd') }),
  );
  journal.commit(commitOf({ after: withJobs(1, job(1)) }));
  expect(journal.load().state).toEqual(withJobs(1, job(1)));
  journal.close();
  using next = open(dir.path);
  expect(next.load().state).toEqual(withJobs(1, job(1)));
});

test('a file of a newer version is refused and left as it is', () => {
  using dir = tempDir();
  open(dir.path).close();
  const db = new DatabaseSync(join(dir.path, 'journal.db'));
  db.exec('PRAGMA user_version = 99');
  db.close();
  const log = memoryLog();
  expect(() => open(dir.path, log)).toThrow(
    expect.objectContaining({ code: 'newer', message: expect.stringContaining('format 99') }),
  );
  expect(log.lines).toEqual([]);
  expect(readdirSync(dir.path)).toEqual(['journal.db']);
});

test('prune keeps the newest by count and age, and every effect that is not settled', () => {
  using dir = tempDir();
  const day = 24 * 3_600_000;
  const line = { at: 100 * day, jobId: null, run: null, kind: 'k', message: '', details: {} };
  const history = [{ ...line, at: 69 * day }, ...Array.from({ length: MAX_HISTORY + 10 }, () => line)];
  const settled = Array.from({ length: MAX_SETTLED + 10 }, (_, index) => endSource(`e${index}`));
  {
    using journal = open(dir.path);
    journal.commit(commitOf({ effects: [endSource('open'), ...settled], history }));
  }
  {
    // Not one by one, as the journal would: each of them waits for the disk.
    const db = new DatabaseSync(join(dir.path, 'journal.db'));
    db.exec(`UPDATE effect SET settled_at = ${100 * day}, outcome = '{}' WHERE id <> 'open'`);
    db.close();
  }
  using journal = open(dir.path);
  journal.prune(100 * day);
  expect(journal.history({ limit: 2 * MAX_HISTORY })).toHaveLength(MAX_HISTORY);
  expect(journal.commit(commitOf({ effects: settled })).fresh).toHaveLength(10);
  journal.prune(131 * day);
  expect(journal.history({ limit: 10 })).toEqual([]);
  expect(journal.commit(commitOf({ effects: [endSource('open'), ...settled] })).fresh).toHaveLength(
    MAX_SETTLED,
  );
});

test('a state that never was written is diffed against what was', () => {
  using dir = tempDir();
  const written = withJobs(1, job(1), job(2));
  {
    using journal = open(dir.path);
    journal.commit(commitOf({ before: EMPTY, after: written }));
    const unwritten = withJobs(2, job(1, 1), job(3));
    const after = withJobs(3, unwritten.jobs.get(1)!, job(4));
    journal.commit(commitOf({ before: written, after }));
  }
  using journal = open(dir.path);
  expect([...journal.load().state!.jobs.keys()]).toEqual([1, 4]);
});
