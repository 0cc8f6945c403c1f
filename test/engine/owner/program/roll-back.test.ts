import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import type { Answer, Rollback } from '../../../../daemon/engine/owner/protocol.ts';
import { doIt, Folder, inoOf, isRoot, OWNER, PROGRAM, STRANGER, TAG } from './support.ts';

/** What only root may read or write, and an attack is after. */
const root = new Folder({ uid: 0, gid: 0, groups: [] });
afterAll(() => root[Symbol.dispose]());

const asRoot = test.runIf(isRoot);
const at = (path: string, size: number, shared = false): Rollback => ({
  path,
  ino: inoOf(path),
  size,
  shared,
});
const rollBack = (files: readonly Rollback[], change = true): Promise<Answer> =>
  doIt({ op: 'roll-back', tag: TAG, files, change });

/** Checks that the file after the good one is refused, and that the good one was left alone for it. */
async function refused(folder: Folder, bad: Rollback, because: RegExp, change = true): Promise<void> {
  const good = folder.file('good', '0123456789');
  const answer = await rollBack([at(good, 4), bad], change);
  expect(answer).toEqual({ ok: false, message: expect.stringMatching(because) });
  expect(folder.text('good')).toBe('0123456789');
}

asRoot('files go back to their length; one that has it stays as it is', async () => {
  using folder = new Folder();
  const files = [at(folder.file('a', 'keep and cut'), 4), at(folder.file('b', 'same'), 4)];
  expect(await rollBack(files, false)).toEqual({ ok: true, notes: [] });
  expect(folder.text('a')).toBe('keep and cut');
  expect(await rollBack(files)).toEqual({ ok: true, notes: [] });
  expect([folder.text('a'), folder.text('b')]).toEqual(['keep', 'same']);
  expect(await rollBack(files)).toEqual({ ok: true, notes: [] });
});

asRoot('ten thousand files go back, more than may be open at a time', async () => {
  using folder = new Folder();
  const files = Array.from({ length: 10_000 }, (_, index) => at(folder.file(`f${index}`, 'twelve bytes'), 6));
  expect(await rollBack(files)).toEqual({ ok: true, notes: [] });
  expect(folder.text('f0') + folder.text('f9999')).toBe('twelvetwelve');
});

asRoot('a file that shrank, vanished or was replaced is an error, and no other file is cut', async () => {
  using folder = new Folder();
  const shrunk = folder.file('shrunk', '123');
  await refused(folder, { ...at(shrunk, 5) }, /shrunk has 3 bytes, and had 5 when the checkpoint was taken/);
  const gone = at(folder.file('gone', '123'), 1);
  rmSync(gone.path);
  await refused(folder, gone, /gone: it is gone/);
  const replaced = at(folder.file('replaced', '123'), 1);
  renameSync(folder.file('other', '456'), replaced.path);
  await refused(folder, replaced, /replaced is another file than the one that the job had open/);
  expect(folder.text('replaced')).toBe('456');
});

asRoot('a link in the place of a file is not followed, whoever owns what it leads to', async () => {
  using folder = new Folder();
  const victim = root.file('victim', 'of root');
  chmodSync(root.path, 0o755);
  const swapped = { ...at(victim, 0), path: folder.at('out') };
  symlinkSync(victim, swapped.path);
  await refused(folder, swapped, /out: it is a symbolic link/);
  const own = folder.file('own', 'of the owner');
  symlinkSync(own, folder.at('to-own'));
  await refused(folder, { ...at(own, 0), path: folder.at('to-own') }, /to-own: it is a symbolic link/);
  expect([root.text('victim'), folder.text('own')]).toEqual(['of root', 'of the owner']);
});

asRoot('a folder that was swapped for a link leads to nothing that the owner may not write', async () => {
  using folder = new Folder();
  const victim = root.file('victim', 'of root');
  chmodSync(root.path, 0o755);
  symlinkSync(root.path, folder.at('data'));
  await refused(
    folder,
    { ...at(victim, 0), path: folder.at('data/victim') },
    /victim: the job's owner has no permission/,
  );
  expect(root.text('victim')).toBe('of root');
});

asRoot('a hard link to a file of somebody else is not cut', async () => {
  using folder = new Folder();
  const others = folder.file('others', 'of a stranger', STRANGER);
  linkSync(others, folder.at('linked'));
  await refused(
    folder,
    { ...at(others, 0), path: folder.at('linked') },
    /linked: the job's owner has no permission/,
  );
  expect(folder.text('others')).toBe('of a stranger');
});

asRoot("a file of somebody else that the owner's groups may write is rolled back", async () => {
  using folder = new Folder();
  const shared = folder.file('shared', 'by a group', STRANGER);
  chownSync(shared, STRANGER.uid, OWNER.groups[0]!);
  chmodSync(shared, 0o660);
  expect(await rollBack([at(shared, 2)])).toEqual({ ok: true, notes: [] });
  expect(folder.text('shared')).toBe('by');
});

asRoot('a FIFO, a folder and a device are refused at once', async () => {
  using folder = new Folder();
  const fifo = folder.at('fifo');
  execFileSync('mkfifo', [fifo]);
  chownSync(fifo, OWNER.uid, OWNER.gid);
  await refused(folder, at(fifo, 0), /fifo: it is no regular file/);
  // With somebody at the other end it opens.
  const reader = openSync(fifo, 'r+');
  await refused(folder, at(fifo, 0), /fifo: it is no regular file any more/);
  closeSync(reader);
  mkdirSync(folder.at('dir'));
  await refused(folder, at(folder.at('dir'), 0), /dir: it is a directory/);
  await refused(folder, at('/dev/null', 0), /\/dev\/null: it is no regular file any more/);
});

asRoot('a read-only file is an error', async () => {
  using folder = new Folder();
  const file = folder.file('readonly', 'abc');
  writeFileSync(file, 'abcdef');
  chmodSync(file, 0o400);
  await refused(folder, at(file, 3), /readonly: the job's owner has no permission/);
});

asRoot('what others may have appended is kept beside the file, for whoever can read it', async () => {
  using folder = new Folder();
  const csv = folder.file('results.csv', 'mine\ntheirs\n', STRANGER);
  chownSync(csv, STRANGER.uid, OWNER.groups[0]!);
  chmodSync(csv, 0o664);
  expect(await rollBack([at(csv, 5, true)], false)).toEqual({ ok: true, notes: [] });
  expect(folder.names()).toEqual(['results.csv']);
  const kept = `${csv}.${TAG}`;
  expect(await rollBack([at(csv, 5, true)])).toEqual({
    ok: true,
    notes: [`7 bytes that were appended to ${csv} since the checkpoint are in ${kept}`],
  });
  expect([folder.text('results.csv'), readFileSync(kept, 'utf8')]).toEqual(['mine\n', 'theirs\n']);
  expect(statSync(kept)).toMatchObject({ uid: OWNER.uid, mode: 0o100664 });
  // Nothing more to keep, and nothing that is kept is ever replaced.
  expect(await rollBack([at(csv, 5, true)])).toEqual({ ok: true, notes: [] });
  writeFileSync(csv, 'more', { flag: 'a' });
  expect(await rollBack([at(csv, 5, true)])).toMatchObject({ notes: [expect.stringContaining(`${kept}.1`)] });
  expect([readFileSync(kept, 'utf8'), readFileSync(`${kept}.1`, 'utf8')]).toEqual(['theirs\n', 'more']);
});

asRoot('a link or a file in the place of what is kept is not written to', async () => {
  using folder = new Folder();
  const csv = folder.file('csv', 'mine, theirs');
  const own = folder.file('own', 'untouched');
  symlinkSync(own, `${csv}.${TAG}`);
  folder.file(`csv.${TAG}.1`, 'untouched');
  expect(await rollBack([at(csv, 4, true)])).toMatchObject({ ok: true });
  expect([folder.text('own'), folder.text(`csv.${TAG}.1`), folder.text(`csv.${TAG}.2`)]).toEqual([
    'untouched',
    'untouched',
    ', theirs',
  ]);
});

asRoot('where it cannot be kept, nothing is cut', async () => {
  using folder = new Folder();
  const csv = folder.file('csv', 'mine, theirs');
  chmodSync(folder.path, 0o555);
  chownSync(folder.path, 0, 0);
  for (const change of [false, true])
    await refused(
      folder,
      at(csv, 4, true),
      /8 bytes of .*csv since the checkpoint cannot be kept in .*no permission/,
      change,
    );
  expect(folder.text('csv')).toBe('mine, theirs');
  const big = folder.file('big', '');
  truncateSync(big, 1024 ** 3 + 1);
  chmodSync(folder.path, 0o777);
  await refused(
    folder,
    at(big, 0, true),
    /big got 1073741825 bytes since the checkpoint.* no more than 1073741824/,
  );
  expect(statSync(big).size).toBe(1024 ** 3 + 1);
});

asRoot('a disk or a quota that is full in the middle leaves the file as it was', async () => {
  using folder = new Folder();
  const csv = folder.file('csv', 'x'.repeat(300_000));
  // A file size limit fails a write as a quota does, at some byte of it.
  const operations = [{ op: 'roll-back', tag: TAG, files: [at(csv, 4, true)], change: true }];
  const said = execFileSync(
    'bash',
    ['-c', `trap '' XFSZ; ulimit -f 200; exec ${process.execPath} ${PROGRAM}`],
    { input: `${JSON.stringify(OWNER)}\n${JSON.stringify(operations)}\n`, encoding: 'utf8' },
  );
  expect(JSON.parse(said)).toEqual({ ok: false, message: `${csv} cannot be cut to 4 bytes: EFBIG` });
  expect(folder.names()).toEqual(['csv']);
  expect(statSync(csv).size).toBe(300_000);
});

asRoot('what other jobs wrote behind the end of a file that is left whole stays where it is', async () => {
  using folder = new Folder();
  const log = folder.file('all.log', 'mine\ntheirs\n');
  expect(await rollBack([{ ...at(log, 5, true), whole: 'others' }])).toEqual({ ok: true, notes: [] });
  expect(await rollBack([{ ...at(log, 5, true), whole: 'unknown' }])).toEqual({
    ok: true,
    notes: [
      `${log} stays as it is, since other jobs go on with it: of its last 7 bytes, lines of this job may come twice`,
    ],
  });
  expect(folder.names()).toEqual(['all.log']);
  expect(folder.text('all.log')).toBe('mine\ntheirs\n');
});

asRoot('a file that is only appended to may be shorter than it was, and an admin is told', async () => {
  using folder = new Folder();
  const log = folder.file('all.log', '123');
  expect(await rollBack([at(log, 5, true)], false)).toEqual({ ok: true, notes: [] });
  expect(await rollBack([at(log, 5, true)])).toEqual({
    ok: true,
    notes: [`${log} has 3 bytes, and had 5 when the checkpoint was taken: it was cut since`],
  });
  await refused(folder, { ...at(log, 5, true), sized: true }, /all.log has 3 bytes, and had 5/);
  expect(folder.text('all.log')).toBe('123');
});
