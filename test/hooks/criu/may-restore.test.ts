import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../lab/until.ts';
import { type Built, build } from './holder.ts';

const isRoot = process.getuid?.() === 0;
const [UID, GID, GROUP, STRANGER] = [61_234, 61_235, 61_236, 61_240];
const IDS = ['--uid', String(UID), '--gid', String(GID), '--groups', String(GROUP)];
const DENIED = "the job's owner has no permission";

describe.skipIf(!isRoot && !process.env['CI'])('what the owner of a job may restore', () => {
  let built: Built;
  beforeAll(() => {
    built = build();
  }, 120_000);
  afterAll(() => built[Symbol.dispose]());

  /** Of root, and others may look; in it `home` is the owner's. */
  let root = '';
  let home = '';
  const servers: Server[] = [];
  beforeEach(() => {
    root = mkdtempSync('/var/ckptd-may-restore-');
    chmodSync(root, 0o755);
    home = folder('home', UID);
    writeFileSync(join(root, 'secret'), 'of root', { mode: 0o600 });
    writeFileSync(join(root, 'public'), 'of root, for all');
    mkdirSync(join(root, 'closed'), { mode: 0o700 });
    writeFileSync(join(root, 'closed/readable'), 'nobody gets here');
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    rmSync(root, { recursive: true });
  });

  function look(entries: readonly (string | Buffer)[] | Buffer, args: readonly string[] = IDS) {
    const input = Buffer.isBuffer(entries)
      ? entries
      : Buffer.concat(entries.flatMap((entry) => [Buffer.from(entry), Buffer.of(0)]));
    const { status, stdout, stderr } = spawnSync(built.helper, ['may-restore', ...args], {
      input,
      encoding: 'utf8',
      // Its groups are freed by its end.
      env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' },
    });
    return { status, stdout, stderr };
  }

  const yes = (count: number) => ({ status: 0, stdout: `ok ${count}\n`, stderr: '' });
  const no = (path: string, why = DENIED) => ({ status: 1, stdout: `${path}: ${why}`, stderr: '' });

  function folder(name: string, uid: number, mode = 0o755): string {
    const path = join(root, name);
    mkdirSync(path);
    chownSync(path, uid, uid);
    chmodSync(path, mode);
    return path;
  }

  function file(path: string, uid: number, mode = 0o644, gid = uid): string {
    writeFileSync(path, '');
    chownSync(path, uid, gid);
    chmodSync(path, mode);
    return path;
  }

  async function socket(path: string, uid: number, mode = 0o755): Promise<string> {
    const server = createServer().listen(path);
    servers.push(server);
    await once(server, 'listening');
    chownSync(path, uid, uid);
    chmodSync(path, mode);
    return path;
  }

  test('what is theirs, and what everybody may read: with any name, and a fifo without anybody at its other end', () => {
    const own = file(join(home, 'own ü\n: it is gone'), UID, 0o600);
    const fifo = join(home, 'fifo');
    execFileSync('mkfifo', [fifo]);
    chownSync(fifo, UID, GID);
    const all = [
      ...[`both ${own}`, `read ${own}`, `write ${own}`, `reach ${own}`, `pass ${home}`, `read ${home}`],
      ...[`write ${fifo}`, `read ${fifo}`, `read ${join(root, 'public')}`, 'both /dev/null', 'read /proc'],
      ...['pass /', `read ${process.execPath}`],
    ];
    expect(look(all)).toEqual(yes(all.length));
    expect(look([])).toEqual(yes(0));
  });

  test.each([
    ["root's own file", 'read', 'secret'],
    ['a public file, to be written', 'write', 'public'],
    ['a public file, to be read and written', 'both', 'public'],
    ['a readable file in a closed folder', 'read', 'closed/readable'],
    ['the same, only to be pointed to', 'reach', 'closed/readable'],
    ['a closed folder, to be read', 'read', 'closed'],
    ['the same, to be stood in', 'pass', 'closed'],
    ['a file, to be stood in', 'pass', 'public'],
  ])('%s may not be had', (_, how, name) => {
    expect(look([`read ${join(root, 'public')}`, `${how} ${join(root, name)}`])).toEqual(
      no(join(root, name)),
    );
  });

  test('what may not be read may be pointed to, and a folder passed that may not be listed', () => {
    const passed = folder('passed', 0, 0o711);
    expect(
      look([`reach ${join(root, 'secret')}`, `pass ${passed}`, `reach ${join(root, 'closed')}`]),
    ).toEqual(yes(3));
    expect(look([`read ${passed}`])).toEqual(no(passed));
  });

  test('a hard link, or a link, makes a file no more theirs', () => {
    const [hard, soft] = [join(home, 'hard'), join(home, 'soft')];
    linkSync(join(root, 'secret'), hard);
    symlinkSync(join(root, 'secret'), soft);
    expect(look([`read ${hard}`])).toEqual(no(hard));
    expect(look([`read ${soft}`])).toEqual(no(soft));
    const others = file(join(home, 'others'), STRANGER, 0o600);
    expect(look([`read ${others}`])).toEqual(no(others));
  });

  test('a file that is gone, or whose folder is, says so', () => {
    const gone = join(home, 'gone/file');
    expect(look([`read ${gone}`])).toEqual(no(gone, 'it is gone'));
    symlinkSync('gone', join(home, 'link'));
    expect(look([`reach ${join(home, 'link')}`])).toEqual(no(join(home, 'link'), 'it is gone'));
    const below = join(root, 'public/below');
    expect(look([`read ${below}`])).toEqual(no(below, 'Not a directory'));
  });

  test('a file system that is read-only says so, and can be read', () => {
    const disk = folder('disk', UID);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    try {
      const own = file(join(disk, 'own'), UID);
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      expect(look([`read ${own}`])).toEqual(yes(1));
      expect(look([`both ${own}`])).toEqual(no(own, 'its file system is read-only'));
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test('all their groups count, however many', () => {
    const shared = file(join(root, 'shared'), 0, 0o060, 61_299);
    expect(look([`both ${shared}`])).toEqual(no(shared));
    const groups = Array.from({ length: 300 }, (_, index) => 61_000 + index).join(' ');
    expect(look([`both ${shared}`], [...IDS.slice(0, 4), '--groups', groups])).toEqual(yes(1));
    const own = file(join(root, 'of-group'), 0, 0o040, GROUP);
    expect(look([`read ${own}`])).toEqual(yes(1));
    expect(look([`read ${own}`], IDS.slice(0, 4))).toEqual(no(own));
  });

  test('three are named, and the others counted', () => {
    const bad = [1, 2, 3, 4, 5].map((each) => join(root, `none-${each}`));
    const entries = bad.map((path) => `read ${path}`).toSpliced(2, 0, `read ${join(root, 'public')}`);
    const three = bad.slice(0, 3).map((path) => `${path}: it is gone`);
    expect(look(entries).stdout).toBe(`${three.join('; ')} and 2 more`);
    expect(look(entries.slice(0, 4)).stdout).toBe(three.join('; '));
    expect(look(entries).status).toBe(1);
  });

  test('ten thousand are looked at, and the last one counts', () => {
    const all = Array.from({ length: 10_000 }, (_, at) => `both ${file(join(home, `f${at}`), UID)}`);
    expect(look(all)).toEqual(yes(10_000));
    expect(look([...all, `read ${join(root, 'secret')}`])).toEqual(no(join(root, 'secret')));
  });

  test('a name is any bytes', () => {
    const name = Buffer.concat([Buffer.from(`${home}/`), Buffer.of(0xff, 0x20, 0x0a)]);
    writeFileSync(name, '');
    expect(look([Buffer.concat([Buffer.from('read '), name])])).toEqual(yes(1));
  });

  test.each<[string, string]>([
    ['nothing', '\0'],
    ['no path', 'read\0'],
    ['an empty path', 'read \0'],
    ['a relative path', 'read home\0'],
    ['another word', 'exec /bin/sh\0'],
    ['a word that goes on', 'reads /bin/sh\0'],
    ['two spaces', 'read  /bin/sh\0'],
    ['what has no end', 'read /bin/sh'],
  ])('an entry that is %s ends it: nothing is allowed', (_, entry) => {
    expect(look(Buffer.from(`read /etc/passwd\0${entry}`))).toEqual({
      status: 65,
      stdout: '',
      stderr: 'ckptd-criu may-restore: entry 2 of its input is none\n',
    });
  });

  test.each([
    ['no ids', []],
    ['one of them', ['--uid', '1']],
    ['groups that are none', [...IDS.slice(0, 4), '--groups', '1,2']],
    ['what only others take', [...IDS, '--capabilities', 'setpcap']],
    ['the uid that is none', ['--uid', '4294967295', '--gid', '1']],
  ])('%s is a usage error', (_, args) => {
    expect(look([], args)).toMatchObject({ status: 64, stdout: '' });
  });

  describe('sockets with names', () => {
    test('in a folder of the owner they may make, those that are there and those that are not', async () => {
      await socket(join(home, 'söck'), UID);
      const names = ['new', 'söck', 'gone/deep/sock'].map((name) => `bind ${join(home, name)}`);
      expect(look([...names, 'bind /tmp/ckptd-nobody-has-this'])).toEqual(yes(4));
    });

    test("a socket of root's, and a new one in a folder of root's, they may not", async () => {
      const theirs = await socket(join(root, 'api.sock'), 0, 0o600);
      expect(look([`bind ${theirs}`])).toEqual(no(theirs, "another user's socket is there"));
      const own = await socket(join(root, 'own.sock'), UID);
      for (const path of [own, join(root, 'new'), join(root, 'not/there/new'), '/new', '/not/there'])
        expect(look([`bind ${path}`])).toEqual(no(path));
      const closed = join(root, 'closed/new');
      expect(look([`bind ${closed}`])).toEqual(no(closed));
    });

    test("a stranger's stays, whether in a folder of all, or in the owner's own", async () => {
      const tmp = folder('tmp', 0, 0o1777);
      for (const path of [join(tmp, 's'), join(home, 's')]) {
        await socket(path, STRANGER, 0o777);
        expect(look([`bind ${path}`])).toEqual(no(path, "another user's socket is there"));
      }
    });

    test('what is no socket is not removed, and no link is one', async () => {
      const own = await socket(join(home, 'own'), UID);
      symlinkSync(own, join(home, 'link'));
      file(join(home, 'file'), UID);
      for (const name of ['link', 'file'])
        expect(look([`bind ${join(home, name)}`])).toEqual(
          no(join(home, name), 'what is there is no socket'),
        );
      expect(look([`bind ${join(home, 'file/below')}`])).toEqual(
        no(join(home, 'file/below'), 'Not a directory'),
      );
    });

    test("others' are connected to only where the owner may, also by a link", async () => {
      const open = await socket(join(root, 'log'), 0, 0o666);
      const closed = await socket(join(root, 'admin'), 0, 0o600);
      symlinkSync(open, join(root, 'dev-log'));
      expect(look([`connect ${open}`, `connect ${join(root, 'dev-log')}`])).toEqual(yes(2));
      expect(look([`connect ${closed}`])).toEqual(no(closed));
      expect(look([`connect ${join(root, 'gone')}`])).toEqual(no(join(root, 'gone'), 'it is gone'));
      expect(look(['connect /dev/null'])).toEqual(no('/dev/null', 'what is there is no socket'));
    });
  });

  /** A process in namespaces of its own; it says a word when it is there. */
  async function inside(command: readonly string[], body: (pid: number) => void): Promise<void> {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      body(child.pid!);
    } finally {
      child.stdin.end();
      await once(child, 'exit');
    }
  }

  test('files are those of the mount namespace that it is told', async () => {
    const path = join(home, 'there');
    const script = `mount -t tmpfs -o mode=755 tmpfs ${home} && touch ${path} && chmod 644 ${path} && echo made; read x`;
    await inside(['unshare', '--mount', 'sh', '-c', script], (pid) => {
      expect(look([`read ${path}`], [...IDS, '--inside', String(pid)])).toEqual(yes(1));
      expect(look([`read ${path}`])).toEqual(no(path, 'it is gone'));
    });
  });

  test('and its processes are those of the pid namespace', async () => {
    const script = 'mount -t proc proc /proc; echo made; read x';
    const command = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script];
    await inside(command, (outer) => {
      const init = readFileSync(`/proc/${outer}/task/${outer}/children`, 'latin1').trim();
      const entries = ['read /proc/1/stat', 'read /proc/self/stat'];
      expect(look(entries, [...IDS, '--inside', init])).toEqual(yes(2));
      const away = `read /proc/${process.pid}/stat`;
      expect(look([away], [...IDS, '--inside', init]).stdout).toMatch(/: it is gone$/);
    });
  });

  test('namespaces that a user has made are not entered, nor those of a process that is gone', async () => {
    const user = ['setpriv', `--reuid=${UID}`, `--regid=${GID}`, '--clear-groups'];
    const script = ['sh', '-c', 'echo made; read x'];
    await inside([...user, 'unshare', '--user', '--map-root-user', '--mount', ...script], (pid) => {
      expect(look(['read /etc/passwd'], [...IDS, '--inside', String(pid)])).toEqual({
        status: 71,
        stdout: '',
        stderr: expect.stringContaining('Operation not permitted'),
      });
    });
    expect(look(['read /etc/passwd'], [...IDS, '--inside', '4194303'])).toMatchObject({
      status: 71,
      stdout: '',
    });
  });

  test('the look has no more than the rights of its owner', async () => {
    const child = spawn(built.helper, ['may-restore', ...IDS], { stdio: ['pipe', 'ignore', 'inherit'] });
    try {
      // It waits for what it is to look at.
      const status = await until(
        () => {
          const own = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim();
          const text = own && readFileSync(`/proc/${own}/status`, 'latin1');
          return /^CapPrm:\t0+$/m.test(text) && text;
        },
        { what: 'it to be the owner', everyMs: 5 },
      );
      const of = (key: string) => new RegExp(`^${key}:\t(.*?)\\s*$`, 'm').exec(status)?.[1];
      expect(of('Uid')).toBe(Array(4).fill(UID).join('\t'));
      expect(of('Gid')).toBe(Array(4).fill(GID).join('\t'));
      expect(of('Groups')).toBe(String(GROUP));
      for (const set of ['CapPrm', 'CapEff', 'CapAmb']) expect(of(set)).toMatch(/^0+$/);
    } finally {
      child.stdin!.end();
      await once(child, 'exit');
    }
  });
});
