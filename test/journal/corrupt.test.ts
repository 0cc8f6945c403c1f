import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { commitOf, endSource, job, memoryLog, open, tempDir, withJobs } from './support.ts';

/** A closed journal of many pages. */
function filled(dir: string, jobCount = 300): string {
  const journal = open(dir);
  const jobs = Array.from({ length: jobCount }, (_, index) => job(index + 1));
  journal.commit(commitOf({ after: withJobs(1, ...jobs), effects: [endSource('e')] }));
  journal.close();
  return join(dir, 'journal.db');
}

/** Expects that the journal starts empty and says so, that the old file is kept, and that the new one works. */
function expectSetAside(dir: string): void {
  const log = memoryLog();
  const now = Date.UTC(2026, 10, 23, 12);
  {
    using journal = open(dir, log, now);
    expect(journal.load()).toEqual({ state: null, outbox: [] });
    journal.commit(commitOf({ after: withJobs(2, job(7)) }));
  }
  const aside = 'journal.db.corrupt-2026-11-23T120000.000Z';
  expect(readdirSync(dir)).toContain(aside);
  expect(log.lines).toMatchObject([
    { level: 'error', message: expect.stringContaining(`set aside as ${join(dir, aside)}`) },
  ]);
  using journal = open(dir);
  expect(journal.load().state).toEqual(withJobs(2, job(7)));
}

test('a file that is no database', () => {
  using dir = tempDir();
  writeFileSync(join(dir.path, 'journal.db'), 'this is no database. '.repeat(1_000));
  expectSetAside(dir.path);
});

test.each([100, 1_000, 4_096, 5_000, 8_192, 12_288])('a file cut to %i bytes', (size) => {
  using dir = tempDir();
  truncateSync(filled(dir.path), size);
  expectSetAside(dir.path);
});

test('pages of garbage', () => {
  using dir = tempDir();
  const path = filled(dir.path);
  const bytes = readFileSync(path);
  for (let page = 2; page * 4_096 < bytes.length; page += 3)
    bytes.fill(0xa5, page * 4_096, page * 4_096 + 2_000);
  writeFileSync(path, bytes);
  expectSetAside(dir.path);
});

test("another program's database", () => {
  using dir = tempDir();
  const db = new DatabaseSync(join(dir.path, 'journal.db'));
  db.exec('CREATE TABLE job (something TEXT); PRAGMA user_version = 1');
  db.close();
  expectSetAside(dir.path);
});

test('corruption that only a later read meets', () => {
  using dir = tempDir();
  const path = filled(dir.path, 6_000);
  const log = memoryLog();
  using journal = open(dir.path, log);
  // The file changes under the open journal, whose page cache is smaller than it is.
  const size = statSync(path).size;
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 4_096, size);
  writeFileSync(path, bytes);
  expect(journal.load()).toEqual({ state: null, outbox: [] });
  expect(log.lines).toMatchObject([{ level: 'error', message: expect.stringContaining('set aside') }]);
  journal.commit(commitOf({ after: withJobs(2, job(7)) }));
  expect(journal.load().state).toEqual(withJobs(2, job(7)));
});

test('rows in another shape are named, dropped and gone; the rest is there', () => {
  using dir = tempDir();
  const db = new DatabaseSync(filled(dir.path));
  db.exec(`UPDATE job SET record = '{"jobId": 3}' WHERE job_id = 3;
    UPDATE job SET record = '{"jobId' WHERE job_id = 4;
    INSERT INTO node VALUES ('n1', '[]');
    INSERT INTO effect (id, effect, created_at) VALUES ('x', '{"kind":"dance"}', 1);`);
  db.close();
  const log = memoryLog();
  {
    using journal = open(dir.path, log);
    const { state, outbox } = journal.load();
    expect(state!.jobs.size).toBe(298);
    expect(state!.nodes.size).toBe(0);
    expect(outbox.map(({ effect }) => effect.id)).toEqual(['e']);
  }
  expect(log.lines.map(({ level }) => level)).toEqual(['error', 'error', 'error', 'error']);
  expect(log.lines.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^journal: job 3 is unreadable \(facts: .*\) and is dropped$/),
    expect.stringMatching(/^journal: job 4 is unreadable \(not JSON: .*\) and is dropped$/),
    expect.stringMatching(/^journal: node n1 is unreadable \(.*\) and is dropped$/),
    expect.stringMatching(/^journal: effect x is unreadable \(kind: .*\) and is dropped$/),
  ]);
  const again = memoryLog();
  using journal = open(dir.path, again);
  expect(journal.load().state!.jobs.size).toBe(298);
  expect(again.lines).toEqual([]);
});
