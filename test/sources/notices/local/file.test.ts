import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../support/clock.ts';
import { noticesConfig, Watched } from '../watched.ts';

/** Longer than any test: what is seen is told by the kernel. */
const NEVER = 3_600_000;
const ROOT = process.getuid?.() === 0;

function scene(filePoll = NEVER) {
  const folder = mkdtempSync(join(tmpdir(), 'ckptd-file-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'terminate');
  return { folder, file, config: { ...noticesConfig(['file']), file, filePoll } };
}

/** There at once with all that is in it. */
function put(file: string, content: string): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

test('a file that appears is a termination, and one that goes takes it back', async () => {
  const { file, config } = scene();
  await using watched = new Watched(config);
  expect(await watched.word('file', 1)).toEqual([]);
  execFileSync('touch', [file]);
  expect(await watched.word('file', 2)).toMatchObject([
    { source: 'file', kind: 'termination', deadline: null, reason: 'announced by a file', dryRun: false },
  ]);
  rmSync(file);
  expect(await watched.word('file', 3)).toEqual([]);
  expect(watched.warnings()).toEqual([]);
});

test('a file that was there before the daemon is seen at its start', async () => {
  const { file, config } = scene();
  writeFileSync(file, '');
  await using watched = new Watched(config);
  expect(await watched.word('file', 1)).toHaveLength(1);
});

test('the content tells kind, deadline, reason and rehearsal', async () => {
  const { file, config } = scene();
  await using watched = new Watched(config);
  await watched.word('file', 1);
  const deadline = '2026-09-18T10:22:00+02:00';
  put(file, JSON.stringify({ kind: 'rebalance', deadline, reason: 'new\nfan\u202e', dry_run: true }));
  expect(await watched.word('file', 2)).toMatchObject([
    { kind: 'rebalance', deadline: Date.UTC(2026, 8, 18, 8, 22), reason: 'new fan', dryRun: true },
  ]);
  expect(watched.warnings()).toEqual([]);
});

test('the real thing after a rehearsal is another notice', async () => {
  const { file, config } = scene();
  await using watched = new Watched(config);
  await watched.word('file', 1);
  put(file, '{"dry_run": true}');
  const [rehearsal] = await watched.word('file', 2);
  put(file, '{}');
  const [real] = await watched.word('file', 3);
  expect([rehearsal?.dryRun, real?.dryRun]).toEqual([true, false]);
  expect(real?.id).not.toBe(rehearsal?.id);
});

test('a file whose content comes a moment later is not taken for an empty one', async () => {
  const { file, config } = scene();
  const clock = new ManualClock();
  await using watched = new Watched(config, clock);
  await watched.word('file', 1);
  await clock.whenSleeping();
  writeFileSync(file, '');
  // The look that found it empty waits for more, and finds it changed.
  await vi.waitUntil(() => clock.nextAt() < clock.now() + NEVER, { timeout: 30_000, interval: 1 });
  writeFileSync(file, '{"dry_run": true, "reason": "a rehearsal"}');
  clock.advance(clock.nextAt() - clock.now());
  expect(await watched.word('file', 2)).toMatchObject([{ dryRun: true, reason: 'a rehearsal' }]);
});

test.each([
  ['text', 'reboot soon', 'no JSON object'],
  ['a cut-off object', '{"kind": "rebal', 'no JSON object'],
  ['a list', '[1]', 'no JSON object'],
  ['more than any such file', ' '.repeat(5000), 'no JSON object'],
  ['binary', '\0\u{feff}\u001b[2J', 'no JSON object'],
  ['an unknown kind', '{"kind": "party"}', 'kind must be'],
  ['a deadline in no format', '{"deadline": "tomorrow"}', 'deadline must be'],
  ['a deadline without a zone', '{"deadline": "2026-09-18T08:22:00"}', 'deadline must be'],
  ['a number as deadline', '{"deadline": 1790000000}', 'deadline must be'],
  ['an unknown key', '{"dead_line": "2026-09-18T08:22:00Z"}', 'unknown key "dead_line"'],
  ['a reason that is none', '{"reason": {"a": 1}}', 'reason must be'],
  ['keys of Object.prototype', '{"__proto__": {"dry_run": true}}', 'unknown key "__proto__"'],
])('%s is a termination without a deadline, and said once', async (_, content, says) => {
  const { file, config } = scene(20);
  put(file, content);
  await using watched = new Watched(config);
  expect(await watched.word('file', 1)).toMatchObject([
    { kind: 'termination', deadline: null, dryRun: false },
  ]);
  await expect.poll(() => watched.counters('file')!.requests).toBeGreaterThan(3);
  expect(watched.warnings()).toHaveLength(1);
  expect(watched.warnings()[0]?.message).toContain(says);
});

test('a rehearsal in other words than true is a rehearsal', async () => {
  const { file, config } = scene();
  put(file, '{"dry_run": "yes"}');
  await using watched = new Watched(config);
  expect(await watched.word('file', 1)).toMatchObject([{ dryRun: true }]);
  expect(watched.warnings()).toHaveLength(1);
});

test('where the kernel tells nothing, the file is found by looking', async () => {
  const { folder, config } = scene(20);
  const later = join(folder, 'later', 'terminate');
  await using watched = new Watched({ ...config, file: later });
  expect(await watched.word('file', 1)).toEqual([]);
  mkdirSync(join(folder, 'later'), { mode: 0o755 });
  writeFileSync(later, '');
  expect(await watched.word('file', 2)).toHaveLength(1);
});

test('a folder that is made anew is watched again from the next look on', async () => {
  const { folder, config } = scene();
  const inner = join(folder, 'run');
  const file = join(inner, 'terminate');
  const clock = new ManualClock();
  mkdirSync(inner, { mode: 0o755 });
  await using watched = new Watched({ ...config, file }, clock);
  await watched.word('file', 1);
  await clock.whenSleeping();
  rmSync(inner, { recursive: true });
  mkdirSync(inner, { mode: 0o755 });
  await clock.run(NEVER);
  await clock.whenSleeping();
  put(file, '{}');
  // The clock stands still: only the kernel can have told.
  expect(await watched.word('file', 2)).toHaveLength(1);
});

/** Ways in which a user could have made the file, or had a hand in it. */
const FORGERIES: Readonly<Record<string, (file: string, folder: string) => void>> = {
  'a file of a user': (file) => {
    writeFileSync(file, '');
    chownSync(file, 1000, 0);
  },
  'a file that everybody can write': (file) => {
    writeFileSync(file, '');
    chmodSync(file, 0o666);
  },
  'a file that a group can write': (file) => {
    writeFileSync(file, '');
    chownSync(file, 0, 1000);
    chmodSync(file, 0o660);
  },
  'a link to a file of root': (file, folder) => {
    writeFileSync(join(folder, 'other'), '');
    symlinkSync(join(folder, 'other'), file);
  },
  'a hard link to a file of root': (file, folder) => {
    writeFileSync(join(folder, 'other'), '');
    linkSync(join(folder, 'other'), file);
  },
  'a pipe': (file) => execFileSync('mkfifo', [file]),
  'a folder': (file) => mkdirSync(file),
  'a file in a folder that everybody can write': (file, folder) => {
    writeFileSync(file, '');
    chmodSync(folder, 0o777);
  },
  'a file in a folder of a user': (file, folder) => {
    writeFileSync(file, '');
    chownSync(folder, 1000, 0);
  },
};

test.runIf(ROOT).each(Object.entries(FORGERIES))('%s is not believed, and said once', async (_, forge) => {
  const { folder, file, config } = scene(20);
  await using watched = new Watched(config);
  await watched.word('file', 1);
  forge(file, folder);
  await expect.poll(() => watched.warnings().length).toBe(1);
  const looks = watched.counters('file')!.requests;
  await expect.poll(() => watched.counters('file')!.requests).toBeGreaterThan(looks + 3);
  expect(watched.events).toHaveLength(1);
  expect(watched.warnings()).toMatchObject([{ message: expect.stringContaining('it is not believed') }]);
});

test.runIf(ROOT)('a sticky folder such as /tmp keeps a file of root safe', async () => {
  const { folder, file, config } = scene();
  chmodSync(folder, 0o1777);
  writeFileSync(file, '');
  await using watched = new Watched(config);
  expect(await watched.word('file', 1)).toHaveLength(1);
});
