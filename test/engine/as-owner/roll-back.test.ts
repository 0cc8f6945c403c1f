import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import type { Answer, Rollback } from '../../../daemon/engine/as-owner/protocol.ts';
import { doIt, Folder, inoOf, isRoot, OWNER, STRANGER } from './support.ts';

/** What only root may read or write, and an attack is after. */
const root = new Folder({ uid: 0, gid: 0, groups: [] });
afterAll(() => root[Symbol.dispose]());

const at = (path: string, size: number): Rollback => ({ path, ino: inoOf(path), size });
const rollBack = (files: readonly Rollback[], change = true): Promise<Answer> =>
  doIt({ op: 'roll-back', files, change });

/** Checks that the file after the good one is refused, and that the good one was left alone for it. */
async function refused(folder: Folder, bad: Rollback, because: RegExp): Promise<void> {
  const good = folder.file('good', '0123456789');
  const answer = await rollBack([at(good, 4), bad]);
  expect(answer).toEqual({ ok: false, message: expect.stringMatching(because) });
  expect(folder.text('good')).toBe('0123456789');
}

test.runIf(isRoot)('files go back to their length; one that has it stays as it is', async () => {
  using folder = new Folder();
  const files = [at(folder.file('a', 'keep and cut'), 4), at(folder.file('b', 'same'), 4)];
  expect(await rollBack(files, false)).toEqual({ ok: true, notes: [] });
  expect(folder.text('a')).toBe('keep and cut');
  expect(await rollBack(files)).toEqual({ ok: true, notes: [] });
  expect([folder.text('a'), folder.text('b')]).toEqual(['keep', 'same']);
  expect(await rollBack(files)).toEqual({ ok: true, notes: [] });
});

test.runIf(isRoot)('ten thousand files go back, more than may be open at a time', async () => {
  using folder = new Folder();
  const files = Array.from({ length: 10_000 }, (_, index) => at(folder.file(`f${index}`, 'twelve bytes'), 6));
  expect(await rollBack(files)).toEqual({ ok: true, notes: [] });
  expect(folder.text('f0') + folder.text('f9999')).toBe('twelvetwelve');
});

test.runIf(isRoot)(
  'a file that shrank, vanished or was replaced is an error, and no other file is cut',
  async () => {
    using folder = new Folder();
    const shrunk = folder.file('shrunk', '123');
    await refused(
      folder,
      { ...at(shrunk, 5) },
      /shrunk has 3 bytes, and had 5 when the checkpoint was taken/,
    );
    const gone = at(folder.file('gone', '123'), 1);
    rmSync(gone.path);
    await refused(folder, gone, /gone: it is gone/);
    const replaced = at(folder.file('replaced', '123'), 1);
    renameSync(folder.file('other', '456'), replaced.path);
    await refused(folder, replaced, /replaced is another file than the one that the job had open/);
    expect(folder.text('replaced')).toBe('456');
  },
);

test.runIf(isRoot)(
  'a link in the place of a file is not followed, whoever owns what it leads to',
  async () => {
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
  },
);

test.runIf(isRoot)(
  'a folder that was swapped for a link leads to nothing that the owner may not write',
  async () => {
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
  },
);

test.runIf(isRoot)('a hard link to a file of somebody else is not cut', async () => {
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

test.runIf(isRoot)("a file of somebody else that the owner's groups may write is rolled back", async () => {
  using folder = new Folder();
  const shared = folder.file('shared', 'by a group', STRANGER);
  chownSync(shared, STRANGER.uid, OWNER.groups[0]!);
  chmodSync(shared, 0o660);
  expect(await rollBack([at(shared, 2)])).toEqual({ ok: true, notes: [] });
  expect(folder.text('shared')).toBe('by');
});

test.runIf(isRoot)('a FIFO, a folder and a device are refused at once', async () => {
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

test.runIf(isRoot)('a read-only file is an error', async () => {
  using folder = new Folder();
  const file = folder.file('readonly', 'abc');
  writeFileSync(file, 'abcdef');
  chmodSync(file, 0o400);
  await refused(folder, at(file, 3), /readonly: the job's owner has no permission/);
});
