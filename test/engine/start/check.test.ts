import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readProcess } from '../../../daemon/engine/job/process.ts';
import type { Verdict } from '../../../daemon/engine/ports.ts';
import { checkTree } from '../../../daemon/engine/start/check.ts';
import { Folder, isRoot, OWNER } from '../as-owner/support.ts';
import { filesImage } from '../images/made-images.ts';
import { identify } from './helper.ts';
import { hasPython, restoredTree } from './restored-tree.ts';

const NOBODY = { uid: 0, gid: 0, groups: [] };

/** What root alone may have, and a stranger's job is after. */
function vault(): Folder {
  const folder = new Folder(NOBODY);
  folder.file('secret', 'of root');
  chmodSync(folder.at('secret'), 0o600);
  return folder;
}

/** What the check says of a tree in which `opens` ran; see `restoredTree`. */
async function restoredBy(
  folder: Folder,
  opens: string,
  criu = '',
  watched: readonly string[] = [],
): Promise<Verdict> {
  const log = folder.at('restore.log');
  await using tree = await restoredTree(folder, log, opens, criu);
  const { startTime } = (await readProcess('/proc', tree.task))!;
  const task = { pid: tree.task, startTime };
  folder.file('files.img', '');
  writeFileSync(folder.at('files.img'), filesImage({ watches: [watched] }));
  return await checkTree({ proc: '/proc', owner: OWNER, task, log, images: folder.path, identify });
}

const scene = test.runIf(isRoot && hasPython);
const open = (path: string, flags: string): string => `os.open(${JSON.stringify(path)}, ${flags})`;

scene("a tree that holds its owner's files and the system's may run", async () => {
  using folder = new Folder();
  const own = folder.file('own', 'x'.repeat(5_000));
  const opens = `
fd = ${open(own, 'os.O_RDWR')}
kept = mmap.mmap(fd, 0)
${open(own, 'os.O_WRONLY | os.O_APPEND')}
${open('/etc/passwd', 'os.O_RDONLY')}
shared = mmap.mmap(${open('/etc/passwd', 'os.O_RDONLY')}, 0, mmap.MAP_SHARED, mmap.PROT_READ)
${open('/dev/null', 'os.O_RDWR')}
${open('/proc/self/status', 'os.O_RDONLY')}
gone = os.open(${JSON.stringify(folder.at('gone'))}, os.O_RDWR | os.O_CREAT)
os.fchown(gone, ${OWNER.uid}, ${OWNER.gid})
os.unlink(${JSON.stringify(folder.at('gone'))})
memory = mmap.mmap(-1, 4096)
os.memfd_create("named")
os.pipe(); os.eventfd(0)
os.chdir(${JSON.stringify(folder.path)})
`;
  // CRIU itself may have anything.
  expect(await restoredBy(folder, opens, "held = open('/etc/shadow')")).toEqual({ ok: true });
});

scene(
  'a folder that was swapped for a link led CRIU to a file of root: the job does not get it',
  async () => {
    using folder = new Folder();
    using closed = vault();
    mkdirSync(folder.at('data'));
    folder.file('data/secret', 'decoy');
    renameSync(folder.at('data'), folder.at('moved'));
    symlinkSync(closed.path, folder.at('data'));
    const verdict = await restoredBy(folder, open(folder.at('data/secret'), 'os.O_RDWR'));
    expect(verdict).toEqual({
      ok: false,
      message: `the job may not have ${closed.at('secret')}: the job's owner has no permission`,
    });
  },
);

scene('the same with the link taken back before anybody looks', async () => {
  using folder = new Folder();
  using closed = vault();
  mkdirSync(folder.at('moved'));
  folder.file('moved/secret', 'decoy');
  symlinkSync(closed.path, folder.at('data'));
  const [data, moved] = [folder.at('data'), folder.at('moved')].map((path) => JSON.stringify(path));
  const opens = `${open(folder.at('data/secret'), 'os.O_RDONLY')}
os.unlink(${data}); os.rename(${moved}, ${data})`;
  expect(await restoredBy(folder, opens)).toMatchObject({ ok: false });
});

scene.each([
  ['a file that the owner may read was opened for writing', 'os.O_RDWR', ''],
  ['it is only mapped, for writing', 'os.O_RDWR', 'kept = mmap.mmap(fd, 0); os.close(fd)'],
  [
    'it is mapped read-only, and could be made writable',
    'os.O_RDWR',
    'kept = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ); os.close(fd)',
  ],
  ['a folder is not what was asked for', 'os.O_RDWR', 'os.open(PARENT, os.O_RDONLY); os.close(fd)'],
])('%s: refused', async (_, flags, then) => {
  using folder = new Folder();
  using closed = vault();
  chmodSync(closed.path, then.includes('PARENT') ? 0o700 : 0o755);
  chmodSync(closed.at('secret'), 0o644);
  symlinkSync(closed.path, folder.at('data'));
  const opens = `fd = ${open(folder.at('data/secret'), flags)}\n${then.replace('PARENT', JSON.stringify(closed.path))}`;
  expect(await restoredBy(folder, opens)).toMatchObject({
    ok: false,
    message: expect.stringContaining("the job's owner has no permission"),
  });
});

scene('what the owner may only read stays readable through a private mapping', async () => {
  using folder = new Folder();
  using closed = vault();
  chmodSync(closed.path, 0o755);
  chmodSync(closed.at('secret'), 0o644);
  const opens = `fd = ${open(closed.at('secret'), 'os.O_RDONLY')}
kept = mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)`;
  expect(await restoredBy(folder, opens)).toEqual({ ok: true });
});

scene('a working directory and a program that are not for the owner are refused', async () => {
  using folder = new Folder();
  using closed = vault();
  chmodSync(closed.path, 0o700);
  expect(await restoredBy(folder, `os.chdir(${JSON.stringify(closed.path)})`)).toMatchObject({ ok: false });
  writeFileSync(closed.at('program'), readFileSync('/bin/sleep'));
  chmodSync(closed.at('program'), 0o711);
  const runs = `import subprocess; subprocess.Popen([${JSON.stringify(closed.at('program'))}, "100"])`;
  expect(await restoredBy(folder, runs)).toMatchObject({ ok: false });
});

scene(
  'a program that its owner may run and not read is theirs where root alone has a hand in its path',
  async () => {
    using folder = new Folder();
    const path = mkdtempSync('/var/ckptd-check-');
    try {
      chmodSync(path, 0o755);
      const program = join(path, 'program');
      copyFileSync('/bin/sleep', program);
      chmodSync(program, 0o711);
      const runs = `import subprocess; subprocess.Popen([${JSON.stringify(program)}, "100"])`;
      expect(await restoredBy(folder, runs)).toEqual({ ok: true });
      // Read by a descriptor it is not, and where others could have put it in the place of another one.
      const refusal = {
        ok: false,
        message: expect.stringContaining("program: the job's owner has no permission"),
      };
      expect(await restoredBy(folder, open(program, 'os.O_RDONLY'))).toEqual(refusal);
      const mapped = `fd = ${open(program, 'os.O_RDONLY')}\nkept = mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ)\nos.close(fd)`;
      expect(await restoredBy(folder, mapped)).toEqual(refusal);
      // In procfs it would show what is in it.
      const traced = `${runs.replace('subprocess.Popen', 'child = subprocess.Popen')}
os.open(f"/proc/{child.pid}/maps", os.O_RDONLY)`;
      expect(await restoredBy(folder, traced)).toEqual(refusal);
      chmodSync(path, 0o777);
      expect(await restoredBy(folder, runs)).toEqual(refusal);
      chmodSync(path, 0o755);
      chmodSync(program, 0o700);
      expect(await restoredBy(folder, runs)).toEqual(refusal);
    } finally {
      rmSync(path, { recursive: true });
    }
  },
);

scene("a deleted file of root's is refused, unless everybody could have read it", async () => {
  using folder = new Folder();
  using closed = vault();
  const opens = `fd = ${open(closed.at('secret'), 'os.O_RDONLY')}\nos.unlink(${JSON.stringify(closed.at('secret'))})`;
  expect(await restoredBy(folder, opens)).toEqual({
    ok: false,
    message: `the job may not have ${closed.at('secret')} (deleted): it is of uid 0`,
  });
  closed.file('library', 'code');
  const upgraded = `fd = ${open(closed.at('library'), 'os.O_RDONLY')}\nos.unlink(${JSON.stringify(closed.at('library'))})`;
  expect(await restoredBy(folder, upgraded)).toEqual({ ok: true });
});

scene('what procfs tells of the job itself is its own, although its processes are root’s yet', async () => {
  using folder = new Folder();
  const opens = `
for name in ["fd", "fdinfo", "task", "ns", "", "maps", "smaps", "environ", "io", "stat", "status", "net/dev"]:
  os.open(f"/proc/self/{name}", os.O_RDONLY)
os.open(f"/proc/self/task/{os.getpid()}/fd", os.O_RDONLY | os.O_DIRECTORY)
os.open("/proc/meminfo", os.O_RDONLY)
os.chdir("/proc/self/fd")
`;
  expect(await restoredBy(folder, opens)).toEqual({ ok: true });
});

scene.each([
  ['another process than the job’s', '/proc/1/fd', 'os.O_RDONLY', "the job's owner has no permission"],
  ['its memory', '/proc/self/mem', 'os.O_RDONLY', "the job's owner has no permission"],
  ['the map of its users', '/proc/self/uid_map', 'os.O_RDWR', 'it is open for writing'],
  ['what anybody may write', '/proc/self/timerslack_ns', 'os.O_WRONLY', 'it is open for writing'],
  ['where memory lies', '/proc/self/pagemap', 'os.O_RDONLY', 'what it shows root'],
  ['the kernel’s addresses', '/proc/kallsyms', 'os.O_RDONLY', 'what it shows root'],
])('root’s rights in procfs do not become the job’s: %s', async (_, path, flags, why) => {
  using folder = new Folder();
  expect(await restoredBy(folder, open(path, flags))).toEqual({
    ok: false,
    message: expect.stringContaining(why),
  });
});

/** Python that watches a path by inotify(7). */
const watch = (path: string): string => `
import ctypes
watcher = ctypes.CDLL(None).inotify_init()
if ctypes.CDLL(None).inotify_add_watch(watcher, ${JSON.stringify(path)}.encode(), 0x3c6) < 1: raise OSError("no watch")
`;

scene('what its owner may read, a job may watch', async () => {
  using folder = new Folder();
  folder.file('data', '');
  const opens = `${watch(folder.path)}${watch(folder.at('data'))}`;
  expect(await restoredBy(folder, opens, '', [folder.path, folder.at('data'), '/gone'])).toEqual({
    ok: true,
  });
});

scene('a private folder that was led under a watched name is not watched for the job', async () => {
  using folder = new Folder();
  using closed = vault();
  chmodSync(closed.path, 0o700);
  symlinkSync(closed.path, folder.at('inbox'));
  const opens = watch(folder.at('inbox'));
  expect(await restoredBy(folder, opens, '', [folder.at('inbox')])).toEqual({
    ok: false,
    message: `the job may not have ${folder.at('inbox')}: the job's owner has no permission`,
  });
});

scene('the same with the name taken back before anybody looks', async () => {
  using folder = new Folder();
  using closed = vault();
  const [inbox, decoy] = [folder.at('inbox'), folder.at('decoy')];
  mkdirSync(decoy);
  symlinkSync(closed.path, inbox);
  const opens = `${watch(inbox)}os.unlink(${JSON.stringify(inbox)}); os.rename(${JSON.stringify(decoy)}, ${JSON.stringify(inbox)})`;
  expect(await restoredBy(folder, opens, '', [inbox])).toEqual({
    ok: false,
    message: 'the job may not watch what is at none of the paths that it watched',
  });
});

scene('every process of the tree is looked at', async () => {
  using folder = new Folder();
  using closed = vault();
  const opens = `
told, tells = os.pipe()
if os.fork() == 0:
  if os.fork() == 0:
    ${open(closed.at('secret'), 'os.O_RDONLY')}
    os.write(tells, b"x")
    import time; time.sleep(1000)
  os._exit(0)
os.wait()
os.read(told, 1)
`;
  expect(await restoredBy(folder, opens)).toMatchObject({ ok: false });
});

scene('a hundred thousand descriptors are looked at within the minute that CRIU waits', async () => {
  using folder = new Folder();
  const own = folder.file('own', '');
  truncateSync(own, 10);
  const opens = `
import resource
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
each = min(limit - 50, 100000)
fd = ${open(own, 'os.O_RDWR')}
told, tells = os.pipe()
for first in range(0, 100000, each):
  if os.fork() == 0:
    for i in range(each // 2): os.dup(fd)
    for i in range(each // 4): os.pipe()
    os.write(tells, b"x")
    import time; time.sleep(1000)
for first in range(0, 100000, each): os.read(told, 1)
`;
  const before = performance.now();
  expect(await restoredBy(folder, opens)).toEqual({ ok: true });
  expect(performance.now() - before).toBeLessThan(60_000);
  unlinkSync(own);
});

scene('a task that is gone, or that never made a namespace, is refused', async () => {
  const checked = { proc: '/proc', owner: OWNER, log: '/dev/null', images: '/', identify };
  expect(await checkTree({ ...checked, task: { pid: process.pid, startTime: 1 } })).toEqual({
    ok: false,
    message: 'the batch task is gone',
  });
  const { startTime } = (await readProcess('/proc', process.pid))!;
  expect(await checkTree({ ...checked, task: { pid: process.pid, startTime } })).toEqual({
    ok: false,
    message: 'the batch task has no namespace of its own',
  });
});
