import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { CLUSTER_ID, startDaemon } from './ckptd-lab.ts';
import { ENGINE_SOCKET, EngineLab, STORE, startBoth } from './engine-lab.ts';
import { counted } from './output.ts';

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  cluster = await EngineLab.start({
    config: { heartbeat: { every: '10s', splay: '0s', min_age: '0s', concurrency: 8 } },
  });
  n1 = cluster.lab.node('n1');
  n2 = cluster.lab.node('n2');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const active = async (node: LabNode, unit: string) =>
  (await node.run(['systemctl', 'is-active', unit], { reject: false })).exitCode === 0;

describe('with nobody acting', () => {
  afterEach(() => cluster.clear());

  test('a job whose node falls silent runs again from its last heartbeat', async () => {
    const { lab } = cluster;
    const id = await cluster.running('processes.py');
    const first = await cluster.newCheckpoint(n2, id);
    await cluster.newCheckpoint(n2, id, [first]);
    await cluster.counts(id, 5);
    await n1.crash();
    const last = (await cluster.ready(n2, id)).at(-1);
    try {
      await cluster.moved(id, 'n1', 1, 90_000);
      expect(await cluster.log(n2, 'ckptd-engine')).toContain(`job ${id} goes on from checkpoint ${last}`);
      await cluster.finish(id, 'FAILED');
      const output = await cluster.counted(id);
      expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
    } finally {
      await n1.start();
      await startBoth(n1);
      await lab.waitForNode('n1', 'IDLE');
    }
  });

  test('a job goes on while slurmctld is dead, and is saved and moved when it is back', async () => {
    const { lab } = cluster;
    const id = await cluster.running('processes.py');
    const unknown = await cluster.running('count.sh', { options: ['--no-ckpt'] });
    // What slurmctld has not saved it does not know again, and gives the id to another job.
    const saved = 'stat -c %.9Y /var/lib/slurm/slurmctld/job_state';
    const since = Number((await lab.ctl.run('date +%s.%N')).stdout);
    await until(async () => Number((await lab.ctl.run(saved)).stdout) > since, {
      what: 'slurmctld to save the job',
      timeoutMs: 30_000,
    });
    await cluster.newCheckpoint(n1, id);
    await lab.ctl.run('systemctl kill --signal=KILL slurmctld');
    try {
      await cluster.counts(id, 20);
      // Slurm has told the engine of the one, for its heartbeat, and never of the other.
      await cluster.checkpoint(n1, id);
      const { status, text } = await cluster.askCheckpoint(n1, unknown);
      expect({ status, message: JSON.parse(text).message }).toEqual({
        status: 500,
        message: expect.stringContaining(`Slurm cannot be asked about job ${unknown}`),
      });
    } finally {
      await lab.ctl.run('systemctl reset-failed slurmctld; systemctl start slurmctld');
    }
    await lab.waitForJob(id, 'RUNNING');
    await cluster.finish(unknown);
    await cluster.newCheckpoint(n1, id, await cluster.ready(n1, id), 60_000);
    await cluster.moveAway(n1, [id]);
    await cluster.finish(id, 'FAILED');
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });

  test('a job goes on while slurmd is dead, and is moved once it is back', async () => {
    const id = await cluster.running('processes.py');
    await n1.run('systemctl kill --kill-whom=main --signal=KILL slurmd');
    try {
      await cluster.counts(id, 20);
    } finally {
      await n1.run('systemctl reset-failed slurmd; systemctl start slurmd');
    }
    await cluster.moveAway(n1, [id]);
    await cluster.finish(id, 'FAILED');
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });

  test('a job goes on when the engine is killed in the middle of its dump, and nothing of that is left', async () => {
    const options = ['--mem=1500', '--ckpt-interval=7d'];
    const id = await cluster.running('heap.py', { options, env: { MB: '1000' } });
    const { status } = await cluster.askCheckpoint(n1, id);
    expect(status).toBe(200);
    await n1.run('systemctl kill --kill-whom=main --signal=KILL ckptd-engine');
    await cluster.counts(id, 3, 60_000);
    await until(() => active(n1, 'ckptd-engine'), {
      what: 'the engine to be back',
      timeoutMs: 60_000,
      details: () => n1.journal('ckptd-engine'),
    });
    await until(async () => (await n1.run('ls /var/lib/ckptd-engine/dump')).stdout === '', {
      what: 'the staging folder to be empty',
      timeoutMs: 60_000,
      details: async () => (await n1.run('ls -lR /var/lib/ckptd-engine; ps ax')).stdout,
    });
    expect((await n1.run(`find ${STORE} -name '.new-*'`)).stdout).toBe('');
    expect(await cluster.ready(n1, id)).toEqual([]);
    await cluster.moveAway(n1, [id]);
    await cluster.finish(id, 'FAILED');
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });
});

/** What jobs had written when they were requeued. */
const before = new Map<number, string>();

/** Requeues jobs as an administrator does; they wait until `release`. */
async function requeued(ids: readonly number[]): Promise<void> {
  const { lab } = cluster;
  for (const id of ids) await lab.ctl.run(['scontrol', 'requeue', `${id}`]);
  for (const id of ids) {
    await lab.waitForJob(id, 'PENDING');
    before.set(id, await cluster.output(id));
  }
}

async function release(ids: readonly number[]): Promise<void> {
  for (const id of ids) await cluster.lab.ctl.run(['scontrol', 'update', `jobid=${id}`, 'starttime=now']);
}

/** Jobs that count, each with one checkpoint and no heartbeats. */
async function checkpointed(count: number): Promise<{ id: number; folder: string }[]> {
  const ids: number[] = [];
  for (let job = 0; job < count; job++)
    ids.push(await cluster.submit('count.sh', { options: ['--no-ckpt'] }));
  const jobs: { id: number; folder: string }[] = [];
  for (const id of ids) {
    const actionId = await cluster.checkpoint(await cluster.counting(id), id);
    jobs.push({ id, folder: `${STORE}/${CLUSTER_ID}/${id}/${actionId}` });
  }
  return jobs;
}

/** The job counts from 1 again, its log says why, and its node still takes jobs. */
async function startedAnew(id: number, why: RegExp): Promise<void> {
  await told(id, why);
  const old = before.get(id)!;
  const anew = async () => {
    const text = await cluster.output(id);
    const isNew = !text.startsWith(old) || (text.match(/^start on/gm) ?? []).length > 1;
    const { count, problems } = counted(text.slice(text.lastIndexOf('start on')));
    return isNew && count >= 3 && problems.length === 0;
  };
  await until(anew, { what: `job ${id} to count from 1`, details: () => cluster.output(id) });
}

/** An administrator finds the reason by the job's id, and the node still takes jobs. */
async function told(id: number, why: RegExp): Promise<void> {
  const { lab } = cluster;
  let mine: string[] = [];
  const found = async () => {
    const logs = lab.nodes.flatMap((node) =>
      ['ckptd-engine', 'slurmd'].map((unit) => cluster.log(node, unit)),
    );
    const lines = (await Promise.all(logs)).join('\n').split('\n');
    mine = lines.filter((line) => new RegExp(`job(_id"| )?\\W*${id}\\b`).test(line));
    return mine.some((line) => /error|start|begin/.test(line) && why.test(line));
  };
  await until(found, {
    what: `a word on job ${id} with ${why}`,
    timeoutMs: 60_000,
    everyMs: 500,
    details: () => mine.join('\n'),
  });
  const { NodeList: node = '' } = await lab.job(id);
  expect(await lab.nodeState(node)).not.toContain('DRAIN');
}

/** Lines of its output that the job did not write. */
const toldItsUser = (output: string): string[] =>
  output.split('\n').filter((line) => /ckptd|slurmstepd/.test(line));

/** Requeues a job that runs, and waits until it counts in its next run. */
async function again(id: number): Promise<void> {
  const next = Number((await cluster.lab.job(id))['Restarts']) + 1;
  await requeued([id]);
  const runs = async () => {
    const { JobState, Restarts } = await cluster.lab.job(id);
    // A job that is still completing is held once more when it is done.
    if (JobState === 'PENDING') await release([id]);
    return JobState === 'RUNNING' && Restarts === `${next}`;
  };
  await until(runs, {
    what: `restart ${next} of job ${id}`,
    timeoutMs: 60_000,
    everyMs: 1_000,
    details: async () => `${JSON.stringify(await cluster.lab.job(id))}\n${await cluster.told()}`,
  });
  await cluster.counts(id);
}

describe('a job starts from its beginning, with an error that says why, and its node is not drained,', () => {
  afterAll(() => cluster.clear());

  test('where the engine is not there', async () => {
    const [job] = await checkpointed(1);
    const { id } = job!;
    const line = `ckptd: job ${id} (restart 1) starts from the beginning: nobody answers at ${ENGINE_SOCKET}: No such file or directory`;
    await requeued([id]);
    for (const node of [n1, n2]) await node.run('systemctl stop ckptd-engine');
    try {
      await release([id]);
      await startedAnew(id, /Checkpoints were not looked for/);
    } finally {
      for (const node of [n1, n2]) await startDaemon(node, 'ckptd-engine');
    }
    const node = await cluster.counting(id);
    // The line of an admin is in the system's log, too: not every cluster has a SlurmdLogFile.
    expect((await node.run('journalctl --no-pager -o cat -t ckptd-spank')).stdout.split('\n')).toContain(
      `${line}. Checkpoints were not looked for, and older ones are not used any more, since this run overwrites its files. For those to come: systemctl start ckptd-engine on ${node.name}`,
    );
    expect(toldItsUser(await cluster.output(id))).toEqual([line]);

    // What it has overwritten it is never put back to, with its engine there again.
    await until(
      async () => (await node.journal('ckptd-engine')).includes(`job ${id} began anew as restart 1`),
      {
        what: 'the engine to hear of it',
      },
    );
    await again(id);
    const anew = await cluster.output(id);
    expect(toldItsUser(anew)).toEqual([]);
    expect(counted(anew)).toMatchObject({ starts: [expect.any(String)], problems: [] });

    // And what is taken from now on brings it back.
    await cluster.checkpoint(await cluster.counting(id), id);
    await again(id);
    await cluster.counts(id, 5);
    await cluster.finish(id);
    const output = await cluster.counted(id);
    expect(output).toEqual({
      starts: [expect.any(String)],
      count: output.count,
      last: output.count,
      problems: [],
    });
  });

  test('and a first run, which has nothing to lose, is not held up', async () => {
    for (const node of [n1, n2]) await node.run('systemctl stop ckptd-engine');
    try {
      const id = await cluster.submit('#!/bin/bash\necho here\n');
      const { StartTime, EndTime } = await cluster.lab.waitForJob(id, 'COMPLETED');
      // An engine that is away was given ten seconds.
      expect(Date.parse(EndTime!) - Date.parse(StartTime!)).toBeLessThan(7_000);
      expect(await cluster.output(id)).toBe('here\n');
    } finally {
      for (const node of [n1, n2]) await startDaemon(node, 'ckptd-engine');
    }
  });

  test("where the engine's socket answers nonsense", async () => {
    const [job] = await checkpointed(1);
    await requeued([job!.id]);
    for (const node of [n1, n2]) {
      await node.run('systemctl stop ckptd-engine');
      await node.writeFile('/run/nonsense.py', NONSENSE);
      await node.run(['systemd-run', '--quiet', '--unit=nonsense', 'python3', '/run/nonsense.py']);
      await node.run(`until test -S ${ENGINE_SOCKET}; do sleep 0.1; done`);
    }
    try {
      await release([job!.id]);
      await startedAnew(job!.id, /ckptd: job \d+ \(restart 1\) starts from the beginning/);
      expect(toldItsUser(await cluster.output(job!.id))).toEqual([
        expect.stringMatching(
          `^ckptd: job ${job!.id} \\(restart 1\\) starts from the beginning: the head of the answer is too long$`,
        ),
      ]);
    } finally {
      for (const node of [n1, n2]) {
        await node.run(`systemctl stop nonsense; rm -f ${ENGINE_SOCKET}`);
        await startDaemon(node, 'ckptd-engine');
      }
    }
  });

  describe('where its checkpoint', () => {
    const biggest = '"$(ls -S images/* | head -1)"';
    /** Those that the store can read, and the engine then not use: what it cannot read is no checkpoint to it. */
    const READ = /wrong byte|lacks an image|another CRIU|CPU/;
    const CASES: readonly (readonly [what: string, damage: string, why: RegExp])[] = [
      ['has a wrong byte', `printf x | dd of=${biggest} bs=1 seek=2000 conv=notrunc`, /image|checksum/],
      ['lacks an image', `rm ${biggest}`, /image|missing/],
      ['has half a manifest', 'truncate -s 100 manifest.json', /manifest/],
      ['is of a newer engine', `sed -i -E 's/("version": *)1\\b/\\12/' manifest.json`, /version/],
      ['is not of root', 'chown bob .', /root|owner|uid/],
      [
        'is of another CRIU',
        `sed -i -E 's/("criu": *\\{"version": *")[^"]*/\\13.17/' manifest.json`,
        /3\.17/,
      ],
      [
        'needs a CPU that the node has not',
        `sed -i -E 's/("cpuFlags": *\\[)/\\1"warp-drive",/' manifest.json`,
        /warp-drive/,
      ],
    ];
    let jobs: { id: number; folder: string }[];

    beforeAll(async () => {
      jobs = await checkpointed(CASES.length);
      const ids = jobs.map(({ id }) => id);
      await requeued(ids);
      for (const [at, [, damage]] of CASES.entries()) {
        const { folder } = jobs[at]!;
        await n1.run(`cd ${folder} && cksum manifest.json images/* >/run/before && ls -lnd . >>/run/before
          ${damage}
          cksum manifest.json images/* >/run/after; ls -lnd . >>/run/after; ! cmp -s /run/before /run/after`);
      }
      await release(ids);
    });

    test.each(CASES.map(([what, , why], at) => ({ what, why, at })))('$what', async ({ what, why, at }) => {
      const { id } = jobs[at]!;
      await startedAnew(id, why);
      const line = expect.stringMatching(`^ckptd: job ${id} \\(restart 1\\) starts from the beginning: .`);
      expect(toldItsUser(await cluster.output(id))).toEqual(READ.test(what) ? [line] : []);
    });
  });
});

const NONSENSE = `import socket
server = socket.socket(socket.AF_UNIX)
server.bind("${ENGINE_SOCKET}")
server.listen()
while True:
    client = server.accept()[0]
    try:
        client.recv(9999)
        client.sendall(b"\\x00nonsense " * 100000)
    except OSError:
        pass
    client.close()
`;

describe('nobody gets at what is not theirs', () => {
  const VICTIM = '/shared/victim';
  const secret = 'x'.repeat(10_000);
  const SWAPS: readonly (readonly [what: string, swap: string])[] = [
    ['a link to a file of root', `rm own; ln -s ${VICTIM} own`],
    ['a hard link to another file', 'echo other >other-own; rm own; ln other-own own'],
    ['a FIFO', 'rm own; mkfifo own'],
    ['a folder', 'rm own; mkdir own'],
    ['a copy', 'cp own new-own; mv new-own own'],
    ['a shorter file', ': >own'],
    ['nothing', 'rm own'],
  ];
  let jobs: { id: number; folder: string }[];

  beforeAll(async () => {
    await n1.writeFile(VICTIM, secret, 0o600);
    jobs = await checkpointed(SWAPS.length);
    const ids = jobs.map(({ id }) => id);
    await requeued(ids);
    for (const [at, [, swap]] of SWAPS.entries()) {
      const { id } = jobs[at]!;
      await n1.run(swap.replaceAll('own', `own-${id}`), { user: 'alice', cwd: '/shared' });
    }
    await release(ids);
  });
  afterAll(() => cluster.clear());

  test.each(SWAPS.map(([what], at) => ({ what, at })))(
    'a file of the job that its user replaces by $what: an error, and no more',
    async ({ at }) => {
      const { id } = jobs[at]!;
      await told(id, new RegExp(`own-${id}`));
      expect((await n1.run(['stat', '-c', '%s %U %a', VICTIM])).stdout).toBe('10000 root 600\n');
      expect(await readFile(join(cluster.lab.shared, 'victim'), 'utf8')).toBe(secret);
    },
  );

  test('an id that comes back as the job of another user begins that job, and the checkpoint goes', async () => {
    const [job] = await checkpointed(1);
    const next = job!.id + 1;
    const store = `${STORE}/${CLUSTER_ID}`;
    await n1.run(`cp -a ${store}/${job!.id} ${store}/${next}
      sed -i -E 's/("jobId": *)${job!.id}\\b/\\1${next}/' ${store}/${next}/*/manifest.json`);
    const his = await cluster.submit('count.sh', { user: 'bob', options: ['--no-ckpt'] });
    expect(his).toBe(next);
    await cluster.counting(his);
    await told(his, /is of another job that had this id/);
    expect(await cluster.counted(his)).toMatchObject({ starts: ['n1'], problems: [] });
    expect(await cluster.ready(n1, his)).toEqual([]);
  });

  test('users cannot read checkpoints, nor ask the engine', async () => {
    const asAlice = (command: string) => n1.run(command, { user: 'alice', reject: false });
    expect((await asAlice(`ls ${STORE}`)).stderr).toContain('Permission denied');
    const asked = await asAlice(`curl -sS --unix-socket ${ENGINE_SOCKET} http://local/v2/user`);
    expect(asked).toMatchObject({ exitCode: 7, stderr: expect.stringMatching(/permission denied|connect/i) });
  });
});

/** Counts, with a socket that listens at NAME; with HIDDEN, it was bound where a file system of the job's own lay. */
const LISTENS = `#!/usr/bin/python3
import ctypes, os, socket
name, job = os.environ["NAME"], os.environ["SLURM_JOB_ID"]
name = name.replace("ID", job)
if os.environ.get("HIDDEN"):
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        uid, gid, libc = os.getuid(), os.getgid(), ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(0x10000000 | 0x20000) == 0, os.strerror(ctypes.get_errno())
        for map, text in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1"):
            open("/proc/self/" + map, "w").write(text)
        assert libc.mount(b"none", b"/", None, 0x44000, None) == 0
        assert libc.mount(b"tmpfs", os.path.dirname(name).encode(), b"tmpfs", 0, None) == 0
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(name)
        bound.listen()
        socket.send_fds(theirs, [b"x"], [bound.fileno()])
        os._exit(0)
    server = socket.socket(fileno=socket.recv_fds(ours, 1, 1)[1][0])
    os.wait()
    ours.close()
    theirs.close()
else:
    os.makedirs(os.path.dirname(name), exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen()
print("start on " + os.environ["SLURMD_NODENAME"], flush=True)
server.settimeout(0.1)
i = 0
while not os.path.exists("/shared/finish-" + job):
    i += 1
    print(f"i={i}", flush=True)
    try:
        server.accept()[0].close()
    except TimeoutError:
        pass
print(f"last={i}", flush=True)
`;

describe('nobody gets at what is not theirs by the name of a socket:', () => {
  afterAll(() => cluster.clear());
  const options = ['--no-ckpt'];
  const serve = (node: LabNode, unit: string, user: string, name: string) =>
    node.run(
      `systemd-run --quiet --unit=${unit} --uid=${user} python3 -c 'import os, socket, time
s = socket.socket(socket.AF_UNIX); s.bind("${name}"); os.chmod("${name}", 0o600); s.listen(); time.sleep(9999)'
      until test -S ${name}; do sleep 0.1; done; stat -c '%i %U %a' ${name}`,
    );

  test("a job that says it has root's is not saved, and runs on", async () => {
    const name = '/run/roots/api.sock';
    for (const node of [n1, n2]) {
      await node.run('mkdir -p /run/roots');
      await serve(node, 'roots', 'root', name);
    }
    const id = await cluster.submit(LISTENS, { options, env: { NAME: name, HIDDEN: '1' } });
    const node = await cluster.counting(id);
    expect((await cluster.askCheckpoint(node, id)).status).toBe(200);
    await told(id, /owner could not restore it: \/run\/roots\/api\.sock: another user's socket is there/);
    expect(await cluster.ready(node, id)).toEqual([]);
    await cluster.counts(id);
  });

  test('a job has its own again, and not one that is a stranger’s by then', async () => {
    const env = { NAME: '/tmp/job-ID/s' };
    const id = await cluster.submit(LISTENS, { options, env });
    const name = `/tmp/job-${id}/s`;
    for (const node of [n1, n2]) await node.run(`mkdir -p /tmp/job-${id}`, { user: 'alice' });
    await cluster.checkpoint(await cluster.counting(id), id);
    await again(id);
    const node = cluster.lab.node((await cluster.lab.job(id))['BatchHost']!);
    expect((await node.run(`stat -c '%U %G %F' ${name}`)).stdout).toBe('alice alice socket\n');
    await node.run(`python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("${name}")'`, {
      user: 'alice',
    });
    expect(await cluster.counted(id)).toMatchObject({ starts: [expect.anything()], problems: [] });

    await cluster.checkpoint(node, id);
    await requeued([id]);
    const theirs: string[] = [];
    for (const each of [n1, n2]) {
      await each.run(`rm -rf /tmp/job-${id}`, { user: 'alice' });
      await each.run(`mkdir /tmp/job-${id}`, { user: 'bob' });
      theirs.push((await serve(each, `bobs-${id}`, 'bob', name)).stdout);
    }
    await release([id]);
    await told(id, /could not be restored: CRIU .*sk-unix\.c/);
    for (const [at, each] of [n1, n2].entries())
      expect((await each.run(`stat -c '%i %U %a' ${name}`)).stdout).toBe(theirs[at]);
  });
});
