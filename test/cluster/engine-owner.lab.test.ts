import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { EngineLab, STORE } from './engine-lab.ts';

/** A restore has the rights of the job's owner, and what that means for jobs and for those who attack them. */
let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  const forge = await readFile(join(import.meta.dirname, 'fixtures/forge.py'), 'utf8');
  cluster = await EngineLab.start({
    files: {
      '/usr/local/lib/forge.py': forge,
      // Who stops CRIU is waited for.
      '/etc/slurm/plugstack.conf':
        'optional /usr/lib/ckptd/ckptd_spank.so socket=/run/ckptd-engine/api.sock hooks=/usr/lib/ckptd/hooks wait=20\n',
    },
  });
  [n1, n2] = [cluster.lab.node('n1'), cluster.lab.node('n2')];
});
afterAll(() => cluster?.[Symbol.asyncDispose]());
afterEach(() => cluster?.clear());

const quiet = ['--no-ckpt'];

/** What the engines have said of a job, once it matches. */
const told = (id: number, what: RegExp): Promise<string> =>
  until(
    async () => {
      const logs = await Promise.all([n1, n2].map((node) => cluster.log(node, 'ckptd-engine')));
      const lines = logs.join('\n').split('\n');
      return lines.find((line) => line.includes(`"job_id":${id},`) && what.test(line));
    },
    { what: `the engine to say ${what} of job ${id}`, timeoutMs: 60_000, details: () => cluster.told() },
  );

async function move(id: number): Promise<void> {
  const node = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
  await cluster.moveAway(node, [id]);
}

async function refusedAndRunsOn(id: number, why: RegExp): Promise<void> {
  const node = await cluster.counting(id);
  expect((await cluster.askCheckpoint(node, id)).status).toBe(200);
  await told(id, why);
  expect(await cluster.ready(node, id)).toEqual([]);
  await cluster.counts(id);
  expect(await cluster.finish(id)).toMatchObject({ ExitCode: '0:0', Restarts: '0' });
  expect((await cluster.counted(id)).problems).toEqual([]);
}

describe('after a move', () => {
  test('a socket of the job is its owner’s, and not root’s', async () => {
    const id = await cluster.running(
      `#!/usr/bin/python3
import os, socket, time
job = os.environ["SLURM_JOB_ID"]
server = socket.socket(socket.AF_UNIX); server.bind("\\0ckptd-test-" + job); server.listen()
print("start on " + os.environ["SLURMD_NODENAME"], flush=True)
i = 0
while not os.path.exists("/shared/finish-" + job):
    i += 1; print(f"i={i}", flush=True); time.sleep(0.1)
print(f"last={i}", flush=True)
`,
    );
    const peer = `import socket, struct
s = socket.socket(socket.AF_UNIX); s.connect("\\0ckptd-test-${id}")
print(*struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:])`;
    const before = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
    await move(id);
    const after = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
    expect(after.name).not.toBe(before.name);
    expect((await after.run(['python3', '-c', peer])).stdout).toBe('2000 2000\n');
    await cluster.finish(id);
  });

  test('a process has its limits, its groups and no capability', async () => {
    const facts =
      'ulimit -aH; ulimit -aS; grep -E "^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):" /proc/$$/status';
    const id = await cluster.running(
      `#!/bin/bash
ulimit -Hn 900; ulimit -Sn 300; ulimit -Ss 1024; ulimit -c 0; ulimit -Hv 8000000
(${facts}; cat /proc/$$/oom_score_adj; nice) >/shared/before-$SLURM_JOB_ID
trap '(${facts}; cat /proc/$$/oom_score_adj; nice) >/shared/after.new; mv /shared/after.new /shared/after-$SLURM_JOB_ID' USR1
. /shared/jobs/count.sh
`,
    );
    await move(id);
    await cluster.lab.ctl.run(`scancel --batch --signal=USR1 ${id}`);
    const read = (what: string) =>
      readFile(join(cluster.lab.shared, `${what}-${id}`), 'utf8').catch(() => '');
    const after = await until(() => read('after'), { what: 'the job to say what it has' });
    expect(after).toBe(await read('before'));
    expect(after).toMatch(/^CapPrm:\t0+$/m);
    await cluster.finish(id);
  });

  test('a child that nobody has waited for yet can still be waited for', async () => {
    const id = await cluster.running(`#!/usr/bin/python3
import os, subprocess, time
job = os.environ["SLURM_JOB_ID"]
print("start on " + os.environ["SLURMD_NODENAME"], flush=True)
ended = subprocess.Popen(["sh", "-c", "exit 7"])
i = 0
while not os.path.exists("/shared/finish-" + job):
    i += 1; print(f"i={i}", flush=True); time.sleep(0.1)
print(f"last={i}", flush=True)
raise SystemExit(ended.wait())
`);
    await move(id);
    expect(await cluster.finish(id, 'FAILED')).toMatchObject({ ExitCode: '7:0', Restarts: '1' });
    expect((await cluster.counted(id)).problems).toEqual([]);
  });

  test('a program of root’s that an upgrade has removed meanwhile still runs', async () => {
    for (const node of [n1, n2]) await node.run('install -m 755 /bin/sleep /usr/local/bin/old-program');
    const id = await cluster.running(
      `#!/bin/bash
/usr/local/bin/old-program 98766 &
. /shared/jobs/count.sh
`,
    );
    for (const node of [n1, n2]) await node.run('rm /usr/local/bin/old-program');
    await move(id);
    await move(id);
    const here = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
    const exe = await here.run("readlink /proc/$(pgrep -f '^/usr/local/bin/old-program 98766')/exe");
    expect(exe.stdout).toMatch(/ \(deleted\)\n$/);
    expect((await here.run('ls -A /tmp')).stdout).not.toContain('.ckptd-');
    expect(await cluster.finish(id)).toMatchObject({ ExitCode: '0:0', Restarts: '2' });
  });
});

describe('is refused in words while the job runs:', () => {
  test('a program with capabilities of its own (F6)', async () => {
    // CAP_NET_RAW as permitted and effective: vfs_cap_data of capability(7), revision 2.
    const give = `python3 -c 'import os, struct; os.setxattr("/usr/local/bin/capable",
      "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))'`;
    for (const node of [n1, n2]) await node.run(`install -m 755 /bin/bash /usr/local/bin/capable; ${give}`);
    const id = await cluster.submit('#!/bin/bash\nexec /usr/local/bin/capable /shared/jobs/count.sh\n', {
      options: quiet,
    });
    await refusedAndRunsOn(id, /has permitted capabilities/);
  });

  test('a filter of seccomp', async () => {
    const id = await cluster.submit(
      `#!/usr/bin/python3
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(1, ctypes.cast(allow, ctypes.c_void_p))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv("/shared/jobs/count.sh", ["count.sh"])
`,
      { options: quiet },
    );
    await refusedAndRunsOn(id, /has a filter of seccomp/);
  });

  test('a file that its owner may not open any more', async () => {
    const id = await cluster.submit(
      `#!/bin/bash
exec 4>>"/shared/locked-$SLURM_JOB_ID"
chmod 400 "/shared/locked-$SLURM_JOB_ID"
. /shared/jobs/count.sh
`,
      { options: quiet },
    );
    await refusedAndRunsOn(
      id,
      /could not restore it: \/shared\/locked-\d+: the job's owner has no permission/,
    );
  });
});

describe('an attack ends with a job that begins from its start, and no more:', () => {
  /** Requeues a job that has a checkpoint; it waits for `again`. */
  async function requeued(id: number): Promise<void> {
    await cluster.lab.ctl.run(`scontrol requeuehold ${id}`);
    await cluster.lab.waitForJob(id, 'PENDING');
  }
  const again = (id: number) => cluster.lab.ctl.run(`scontrol release ${id}`);
  const uidsOf = async (node: LabNode) =>
    (await node.run("for p in $(pgrep -f '[c]ount.sh'); do stat -c %u /proc/$p; done | sort -u")).stdout;

  test.each([
    ['the uid of root', 'uids', /uid 0|other|another/],
    ['a capability that CRIU itself has', 'capability', /permitted capabilities/],
    ['a group of root', 'group', /group 0/],
  ])('images in the store that give it %s (F5)', async (_, what, why) => {
    const id = await cluster.running('count.sh', { options: quiet });
    const node = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
    await cluster.checkpoint(node, id);
    await requeued(id);
    await n1.run(`python3 /usr/local/lib/forge.py ${what} ${STORE}/*/${id}/*/`);
    await again(id);
    await told(id, why);
    const here = await cluster.counting(id);
    expect(await uidsOf(here)).toBe('2000\n');
    const output = await cluster.counted(id);
    expect(output.starts).toHaveLength(1);
    await cluster.finish(id);
  });

  test.each([
    ['kills', 'KILL', /CRIU was killed by signal 9/],
    ['stops', 'STOP', /CRIU had not restored it after 20 s/],
  ])(
    'its owner %s the CRIU that restores it: the restore has failed, and no two copies run',
    async (_, signal, why) => {
      // Its memory takes CRIU a while.
      const id = await cluster.running('heap.py', { options: [...quiet, '--mem=600'], env: { MB: '400' } });
      const node = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
      await cluster.checkpoint(node, id);
      await requeued(id);
      for (const each of [n1, n2])
        await each.run(
          `systemd-run --quiet --uid=alice --unit=hunt sh -c 'while :; do pkill -${signal} -u alice -x criu; done'`,
        );
      await again(id);
      await told(id, why);
      for (const each of [n1, n2]) await each.run('systemctl stop hunt');
      const here = await cluster.counting(id);
      const processes = await here.run("pgrep -u alice -fc '[h]eap.py'");
      expect(processes.stdout).toBe('1\n');
      for (const each of [n1, n2])
        expect((await each.run('pgrep -x criu', { reject: false })).stdout).toBe('');
      await cluster.finish(id, 'FAILED');
    },
  );
});
