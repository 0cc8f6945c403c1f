import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openedFiles } from '../../../../daemon/engine/checkpoint/dump/opened-files.ts';
import {
  parseEntry,
  type RecordEntry,
  readRecord,
} from '../../../../daemon/engine/checkpoint/dump/record.ts';
import { TransientError } from '../../../../daemon/engine/checkpoint/dump/transient-error.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'record-'));
});
afterAll(() => rm(dir, { recursive: true }));

// From a lab node; the second process is the script's `sleep`.
const RECORD = `exe 10077 0:45 1548961 100755 /usr/bin/bash
cwd 10077 254:0 1720821 41777 /shared
root 10077 0:45 1721040 40755 /
fd 10077 0 100000 0:61 4 0 20666 1 /dev/null
fd 10077 1 102001 254:0 1721201 24 100644 1 /shared/o%20count.sh-27-27_4294967294-n1-alice-%25.out
fd 10077 2 102001 254:0 1721201 24 100644 1 /shared/o%20count.sh-27-27_4294967294-n1-alice-%25.out
fd 10077 255 2100000 0:45 1721163 70 100700 1 /var/lib/slurm/slurmd/job00027/slurm_script
map 10077 1468d4fdc000-1468d5036000 0:45 1550510 367708 100644 /usr/lib/locale/C.utf8/LC_CTYPE
exe 10083 0:45 1552062 100755 /usr/bin/sleep
fd 10083 1 102001 254:0 1721201 24 100644 1 /shared/o%20count.sh-27-27_4294967294-n1-alice-%25.out
`;
const lines = (text: string) => text.split('\n').length - 1;
const whole = (text: string) => `${text}end ${lines(text)}\n`;

async function read(text: string): Promise<RecordEntry[]> {
  const path = join(dir, crypto.randomUUID());
  await writeFile(path, text, 'latin1');
  const entries: RecordEntry[] = [];
  await readRecord(path, (entry) => entries.push(entry));
  return entries;
}

async function opened(text: string) {
  const path = join(dir, crypto.randomUUID());
  await writeFile(path, whole(text));
  return openedFiles(path, ({ major }, name) =>
    major === 254 ? 'shared' : name?.startsWith('/proc/') ? 'kernel' : 'local',
  );
}

test('a record as it comes', async () => {
  const entries = await read(whole(RECORD));
  expect(entries).toHaveLength(10);
  expect(entries[4]).toEqual({
    kind: 'fd',
    deleted: false,
    pid: 10077,
    place: 'fd/1',
    flags: 0o102001,
    dev: { major: 254, minor: 0 },
    ino: '1721201',
    size: 24,
    mode: 0o100644,
    path: '/shared/o count.sh-27-27_4294967294-n1-alice-%.out',
  });
  expect(entries[7]).toMatchObject({ kind: 'map', place: 'map_files/1468d4fdc000-1468d5036000', flags: 0 });
});

test.each([
  ['without its end', RECORD, 'is cut'],
  ['that counts wrong', `${RECORD}end 11\n`, '10 lines of 11'],
  ['that goes on', `${whole(RECORD)}exe 1 0:1 1 100755 /a\n`, 'goes on behind its end'],
  ['cut in a line', whole(RECORD).slice(0, 600), /cannot be read|is cut/],
  ['of nothing', '', 'is cut'],
  ['with a line that is too long', `fd 1 1 2 0:1 1 1 100644 1 /${'a'.repeat(20_000)}\nend 1\n`, 'line 1'],
])('a record %s is refused', async (_, text, why) => {
  await expect(read(text)).rejects.toThrow(why);
});

test.each([
  'fd 1 1 2 0:1 1 1 100644 1 /a b',
  'fd 1 1 9 0:1 1 1 100644 1 /a',
  'fd 1 1 2 0:1 1 -1 100644 1 /a',
  'fd 1 1 2 0:1 1 9999999999999999999 100644 1 /a',
  'fd 1 1 2 0:1 1 1 100644 1 /a%0',
  'fd 1 1 2 0:1 1 1 100644 1 /a%00',
  'fd ../../1 1 2 0:1 1 1 100644 1 /a',
  'map 1 ../exe 0:1 1 1 100644 /a',
  'socket 1 1 2 0:1 1 1 100644 1 /a',
])('%s is no entry', (line) => {
  expect(parseEntry(line)).toBe(null);
});

test('names hold any byte but NUL, and those that are no UTF-8 cannot be told on', () => {
  expect(parseEntry('fd 1 1 2 0:1 1 1 100644 1 /a%0Afd%201%09%C3%BC')?.path).toBe('/a\nfd 1\tü');
  expect(parseEntry('fd 1 1 2 0:1 1 1 100644 1 /a%FF')?.path).toBe(null);
  expect(parseEntry('cwd-deleted 1 0:1 1 40755 /a')).toMatchObject({ kind: 'cwd', deleted: true });
});

test('what is rolled back: shared, open for writing, each file once', async () => {
  expect((await opened(RECORD)).rollBack).toEqual([
    {
      path: '/shared/o count.sh-27-27_4294967294-n1-alice-%.out',
      ino: '1721201',
      dev: '65024',
      size: 24,
      append: true,
      sized: false,
    },
  ]);
  const two = 'fd 1 1 2001 254:0 5 10 100644 2 /s/a\nfd 2 1 2 254:0 5 10 100644 2 /s/link\n';
  expect((await opened(two)).rollBack).toMatchObject([{ path: '/s/link', append: false }]);
});

test('what is local: every name once, the writer before the reader', async () => {
  const { local } = await opened(`${RECORD}fd 10083 9 1 0:45 77 5 100644 1 /usr/bin/bash\n`);
  expect(local.map(({ path, written, pid, place }) => [path, written, pid, place])).toEqual([
    ['/usr/bin/bash', true, 10083, 'fd/9'],
    ['/', false, 10077, 'root'],
    ['/var/lib/slurm/slurmd/job00027/slurm_script', false, 10077, 'fd/255'],
    ['/usr/lib/locale/C.utf8/LC_CTYPE', false, 10077, 'map_files/1468d4fdc000-1468d5036000'],
    ['/usr/bin/sleep', false, 10083, 'exe'],
  ]);
});

test('pipes, sockets, devices, deleted and made-up files are nobody’s business', async () => {
  const text = [
    'fd 1 3 1 0:15 99 0 10600 1 pipe:[99]',
    'fd 1 4 2 0:9 98 0 140777 1 socket:[98]',
    'fd 1 5 2 0:6 4 0 20666 1 /dev/null',
    'fd-deleted 1 6 2 254:0 4 10 100600 0 /shared/gone',
    'fd 1 7 0 0:22 4 0 100644 1 /proc/1/oom_score_adj',
    'fd 1 8 1 254:0 7 0 10644 1 /shared/fifo',
  ];
  expect(await opened(`${text.join('\n')}\n`)).toEqual({
    rollBack: [],
    local: [],
    reopened: new Set(),
  });
});

const PROC = (access: string, mode: string, path: string) => `fd 70 3 ${access} 0:22 4 0 ${mode} 1 ${path}\n`;

test('what procfs tells of the job itself, or of the node, is as good there', async () => {
  const text = [
    PROC('0', '40500', '/proc/70/fd'),
    PROC('0', '100444', '/proc/70/task/71/maps'),
    PROC('0', '100400', '/proc/70/environ'),
    PROC('0', '100444', '/proc/70/net/dev'),
    PROC('0', '100444', '/proc/meminfo'),
    PROC('0', '100444', '/proc/1/stat'),
    'cwd 70 0:22 4 40555 /proc/70\n',
    // Of a process whose own lines come later.
    PROC('0', '100444', '/proc/72/stat'),
    'exe 72 8:1 1 100755 /usr/bin/sleep\n',
  ];
  expect((await opened(text.join(''))).rollBack).toEqual([]);
});

test('a restore opens by its path, and for what it was open, all but what it makes itself', async () => {
  const file = (access: string, path: string) => `fd 70 3 ${access} 254:0 4 0 100644 1 ${path}\n`;
  const text = [
    file('0', '/shared/read'),
    file('1', '/shared/written'),
    file('102001', '/shared/appended'),
    file('2', '/shared/both'),
    file('2', '/shared/both'),
    file('10000000', '/shared/pointed-to'),
    file('2', '/shared/%C3%BC%0A'),
    'fd 70 9 200000 254:0 9 0 40755 1 /shared\n',
    'map 70 1000-2000 254:0 5 10 100644 /shared/mapped\n',
    'exe 70 0:45 1 100755 /usr/bin/bash\n',
    'cwd 70 254:0 2 40755 /shared/folder\n',
    'root 70 0:45 3 40755 /\n',
    // Made anew, or no file at all.
    'fd-deleted 70 6 2 254:0 4 10 100600 0 /shared/gone\n',
    'map-deleted 70 2000-3000 254:0 5 10 100644 /shared/lost\n',
    'fd 70 1 1 0:15 99 0 10600 1 pipe:[99]\n',
    'fd 70 5 2 0:6 4 0 20666 1 /dev/null\n',
    // Its own processes are restored with it; what is of no process is there already.
    PROC('0', '100444', '/proc/70/stat'),
    'cwd 70 0:22 4 40555 /proc/70\n',
    PROC('2', '100644', '/proc/sys/kernel/core_pattern'),
    PROC('0', '100444', '/proc/kallsyms'),
  ];
  expect((await opened(text.join(''))).reopened).toEqual(
    new Set([
      'read /shared/read',
      'write /shared/written',
      'write /shared/appended',
      'both /shared/both',
      'reach /shared/pointed-to',
      'both /shared/ü\n',
      'read /shared',
      'read /shared/mapped',
      'read /usr/bin/bash',
      'pass /shared/folder',
      'pass /',
      'both /proc/sys/kernel/core_pattern',
      'read /proc/kallsyms',
    ]),
  );
});

test('a look at a process of somebody else’s is of a moment', async () => {
  const saved = opened(PROC('0', '100444', '/proc/99/stat'));
  await expect(saved).rejects.toBeInstanceOf(TransientError);
  await expect(saved).rejects.toThrow('"/proc/99/stat"');
});

test('a file that could not be named is an error, not a guess', async () => {
  await expect(opened('fd 10 3 1 254:0 99 0 100600 1 /shared/%FF\n')).rejects.toThrow(
    'the name of fd/3 of process 10 is not UTF-8',
  );
});

test('100,000 descriptors', async () => {
  const many = Array.from({ length: 100_000 }, (_, i) => `fd 1 ${i} 1 254:0 ${i} 10 100644 1 /shared/${i}\n`);
  expect((await opened(many.join(''))).rollBack).toHaveLength(100_000);
});

test.each([
  ['only appended to', 'fd 7 1 102001', false],
  ['appended to and read by one descriptor', 'fd 7 1 102002', true],
  ['read by another one', 'fd 7 1 102001|fd 7 3 100000', true],
  ['read by another one, listed first', 'fd 7 0 100000|fd 7 1 102001', true],
  ['written to elsewhere', 'fd 7 1 102001|fd 7 3 100001', true],
])('a file that is %s: whether CRIU holds it to its size is noted', async (_, held, sized) => {
  const text = held
    .split('|')
    .map((entry) => `${entry} 254:0 9 24 100644 1 /shared/log\n`)
    .join('');
  expect((await opened(text)).rollBack).toEqual([expect.objectContaining({ path: '/shared/log', sized })]);
});

test('a file that is mapped as well is held to its size', async () => {
  const text =
    'fd 7 1 102001 254:0 9 24 100644 1 /shared/log\nmap 7 1000-2000 254:0 9 24 100644 /shared/log\n';
  expect((await opened(text)).rollBack).toEqual([expect.objectContaining({ sized: true })]);
});
