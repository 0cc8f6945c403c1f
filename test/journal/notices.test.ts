import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { NoticeRecord, OwnDrain, State } from '../../daemon/vocabulary/state.ts';
import { commitOf, EMPTY, endSource, job, memoryLog, open, tempDir } from './support.ts';

const RECORD: NoticeRecord = {
  notice: {
    id: 'a0b1c2d3e4f50617',
    source: 'ec2/spot',
    kind: 'termination',
    deadline: 120_000,
    reason: 'spot',
    dryRun: false,
  },
  seenAt: 1,
  waiting: ['7.0'],
};
const DRAIN: OwnDrain = {
  reason: 'ckptd: termination notice ec2/spot',
  step: 'set',
  effectId: 'drain-node:n1:1',
};
const NOTICED: State = {
  ...EMPTY,
  clock: 2,
  notices: new Map([[RECORD.notice.id, RECORD]]),
  ownDrain: DRAIN,
};

/** The tables as the first release made them, with a job and an effect that is not settled. */
const FIRST_RELEASE = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE job (job_id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE node (node TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE effect (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, effect TEXT NOT NULL,
    created_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, started_at REAL, settled_at REAL, outcome TEXT) STRICT;
  CREATE INDEX effect_unsettled ON effect (seq) WHERE settled_at IS NULL;
  CREATE INDEX effect_settled ON effect (settled_at) WHERE settled_at IS NOT NULL;
  CREATE TABLE history (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, job_id INTEGER, run TEXT,
    kind TEXT NOT NULL, message TEXT NOT NULL, details TEXT NOT NULL) STRICT;
  CREATE INDEX history_job ON history (job_id, seq);
  PRAGMA user_version = 1;`;

function firstRelease(dir: string): void {
  const db = new DatabaseSync(join(dir, 'journal.db'));
  db.exec(FIRST_RELEASE);
  db.prepare('INSERT INTO meta VALUES (?, ?)').run('clock', '5');
  db.prepare('INSERT INTO job VALUES (?, ?)').run(7, JSON.stringify(job(7)));
  db.prepare('INSERT INTO effect (id, effect, created_at) VALUES (?, ?, ?)').run(
    'e1',
    JSON.stringify(endSource('e1', 7)),
    4,
  );
  db.close();
}

test("the first release's journal loads, and takes notices from then on", () => {
  using dir = tempDir();
  firstRelease(dir.path);
  const log = memoryLog();
  {
    using journal = open(dir.path, log);
    const { state, outbox } = journal.load();
    expect(state).toEqual({ ...EMPTY, clock: 5, jobs: new Map([[7, job(7)]]) });
    expect(outbox.map(({ effect }) => effect.id)).toEqual(['e1']);
    journal.commit(commitOf({ before: state!, after: { ...NOTICED, jobs: state!.jobs } }));
  }
  using journal = open(dir.path, log);
  expect(journal.load().state).toEqual({ ...NOTICED, jobs: new Map([[7, job(7)]]) });
  expect(log.lines).toEqual([]);
});

test('a notice that is withdrawn, and a drain that is no more, are gone after a restart', () => {
  using dir = tempDir();
  {
    using journal = open(dir.path);
    journal.commit(commitOf({ before: EMPTY, after: NOTICED }));
    journal.commit(commitOf({ before: NOTICED, after: { ...EMPTY, clock: 3 } }));
  }
  using journal = open(dir.path);
  expect(journal.load().state).toEqual({ ...EMPTY, clock: 3 });
});

test('only the drain changes: it is written', () => {
  using dir = tempDir();
  const lifting: OwnDrain = { ...DRAIN, step: 'lifting' };
  {
    using journal = open(dir.path);
    journal.commit(commitOf({ before: EMPTY, after: NOTICED }));
    journal.commit(commitOf({ before: NOTICED, after: { ...NOTICED, ownDrain: lifting } }));
  }
  using journal = open(dir.path);
  expect(journal.load().state?.ownDrain).toEqual(lifting);
});

test.each([
  ['notice', "UPDATE notice SET record = '{}'"],
  ['notice', `UPDATE notice SET record = json_set(record, '$.waiting', json('["7"]'))`],
  ['notice', "UPDATE notice SET record = json_set(record, '$.notice.kind', 'maybe')"],
  ['meta', 'UPDATE meta SET value = \'{"step":"set"}\' WHERE key = \'ownDrain\''],
])('an unreadable %s row is dropped and said, and the rest is there (%s)', (table, sql) => {
  using dir = tempDir();
  {
    using journal = open(dir.path);
    journal.commit(commitOf({ before: EMPTY, after: NOTICED }));
  }
  const db = new DatabaseSync(join(dir.path, 'journal.db'));
  db.exec(sql);
  db.close();
  const log = memoryLog();
  using journal = open(dir.path, log);
  const { state } = journal.load();
  expect(state).toEqual(
    table === 'notice' ? { ...NOTICED, notices: new Map() } : { ...NOTICED, ownDrain: null },
  );
  expect(log.lines).toMatchObject([{ level: 'error', fields: { table } }]);
});

test('a notice by hand leaves a line also where nothing follows from it', () => {
  using dir = tempDir();
  using journal = open(dir.path);
  const { notice } = RECORD;
  for (const event of [
    { type: 'ask-notice', at: 1, notice, requestId: 'r' },
    { type: 'ask-withdraw', at: 2, noticeId: notice.id, requestId: 'r' },
    { type: 'notices', at: 3, source: 'file', standing: [] },
  ] as const) {
    journal.commit(commitOf({ event }));
  }
  expect(journal.history({ limit: 10 }).map(({ kind, message }) => [kind, message])).toEqual([
    ['ask-notice', 'notice given by hand'],
    ['ask-withdraw', 'notice taken back by hand'],
  ]);
});
