import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../lab/until.ts';
import { fakeSwrk, RESTORES, ROOT } from '../criu/fake-swrk.ts';
import { scratch } from '../native.ts';
import { ACTION, answer, type Behaviour, type FakeEngine, fakeEngine, plan } from './fake-engine.ts';
import { type JobCgroup, jobCgroup } from './job-cgroup.ts';
import { type Built, build, Stub } from './plugin.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const ok = answer(200, 'ok\n');
const OWNER = 65_534;

interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly engine: FakeEngine;
  readonly cgroup: JobCgroup;
  /** Stands for the job's task: P. */
  readonly stub: Stub;
  /** Lines that the job wrote so far. */
  written(): string[];
  /** Waits until the job has written that line. */
  line(text: string): Promise<unknown>;
  /** Waits for the engine to hear that the job is restored; the pids that it was told. */
  restored(): Promise<{ init: number; root: number }>;
}

interface SceneOptions {
  /** What stands for CRIU does, one after the other (../criu/fixtures/fake-swrk.pl). */
  readonly criu: readonly string[];
  /** The job that it restores: Bash, where $1 is the folder. */
  readonly job?: string;
  readonly engine?: Record<string, Behaviour>;
  readonly config?: string[];
  readonly argv?: (usual: string[]) => string[];
  /** Whether the task gets into its cgroup by itself. */
  readonly attached?: boolean;
}

/** A job that is this script, and a CRIU that restores it. */
const restores = (job: string) => ({ job, criu: RESTORES });

/** A job that says each signal once it has come. */
const TALKS = `for s in TERM USR1 USR2 CONT WINCH HUP INT TSTP RTMIN; do trap "echo $s" $s; done
trap 'echo bye; exit 3' QUIT
echo ready; while :; do read -rt 0.05 <>$1/fifo; done`;

let built: Built;

async function scene({
  criu,
  job = 'exit 0',
  engine: routes,
  config = [],
  argv,
  attached = true,
}: SceneOptions): Promise<Scene> {
  const folder = scratch();
  chmodSync(folder.path, 0o755);
  const images = join(folder.path, 'images');
  mkdirSync(images);
  const out = join(folder.path, 'out');
  writeFileSync(out, '');
  writeFileSync(join(folder.path, 'job'), job);
  // The job's files, and those by which the test speaks to it.
  for (const path of [folder.path, out]) chownSync(path, OWNER, OWNER);
  const command = [
    ...[built.helper, 'init', '--uid', String(OWNER), '--gid', String(OWNER), '--groups', ''],
    ...['--capabilities', 'checkpoint_restore', '--images', images, '--root', String(ROOT)],
    ...['--log', join(folder.path, 'restore.log'), '--', ...fakeSwrk(folder.path), ...criu],
  ];
  const engine = await fakeEngine({
    start: plan(argv ? argv(command) : command),
    go: ok,
    check: ok,
    restored: ok,
    failed: ok,
    ...routes,
  });
  const cgroup = await jobCgroup();
  const stub = new Stub(built, {
    context: 'remote',
    config: [`socket=${engine.socket}`, ...config],
    commands: ['init', 'init_post_opt', 'task_init_privileged'],
    cwd: folder.path,
  });
  if (attached) cgroup.enter(stub.pid);
  const written = () => readFileSync(out, 'utf8').split('\n').filter(Boolean);
  return {
    folder: folder.path,
    engine,
    cgroup,
    stub,
    written,
    line: (text) => until(() => written().includes(text), { what: `the job to write ${text}`, everyMs: 5 }),
    async restored() {
      const { url } = await engine.asked('restored');
      const query = new URLSearchParams(url.split('?')[1]);
      return { init: Number(query.get('init')), root: Number(query.get('root')) };
    },
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await cgroup[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

const isThere = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const fds = (pid: number) =>
  readdirSync(`/proc/${pid}/fd`).map(
    (fd) => `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]/, '')}`,
  );

describe.skipIf(!isRoot && !process.env['CI'])(
  'the task of a job that is restored',
  { timeout: 20_000 },
  () => {
    beforeAll(async () => {
      built = await build({ sanitize: true });
    }, 300_000);
    afterAll(() => built[Symbol.dispose]());

    test.each([0, 1, 7, 255])('ends with exit code %d, as the job does', async (code) => {
      await using it = await scene(restores(`exit ${code}`));
      expect(await it.stub.said).toMatchObject({ code, signal: null });
      expect(it.engine.requests.map(({ what }) => what)).toEqual(['start', 'go', 'check', 'restored']);
    });

    test.each(['SIGKILL', 'SIGTERM', 'SIGSEGV', 'SIGABRT'] as const)(
      'ends by %s, as the job does, and leaves no core of its own',
      async (signal) => {
        const job = `until [ -e $1/go ]; do sleep 0.01; done; ulimit -c 0; kill -${signal.slice(3)} $$; sleep 9`;
        await using it = await scene(restores(job));
        // As a job has it that may leave one; the sanitizer took it away from the stub.
        await it.restored();
        await run('prlimit', [`--pid=${it.stub.pid}`, '--core=unlimited']);
        writeFileSync(join(it.folder, 'go'), '');
        expect(await it.stub.said).toMatchObject({ code: null, signal });
        expect(readdirSync(it.folder).filter((name) => name.startsWith('core'))).toEqual([]);
      },
    );

    test('asks for its files again where the engine ends meanwhile', async () => {
      const behaviours: Behaviour[] = [(connection) => connection.destroy(), answer(503, 'ends'), ok];
      await using it = await scene({
        ...restores('exit 4'),
        engine: { go: (...call) => behaviours.shift()!(...call) },
      });
      expect(await it.stub.said).toMatchObject({ code: 4 });
      expect(it.engine.requests.map(({ what }) => what)).toEqual([
        ...['start', 'go', 'go', 'go', 'check', 'restored'],
      ]);
    });

    const lost: [name: string, behaviour: Behaviour][] = [
      ['hangs up', (connection) => connection.destroy()],
      ['is being stopped', answer(503, 'ends')],
      ['answers nothing', () => {}],
      ['answers nonsense', (connection) => connection.end('hello\r\n\r\n')],
    ];
    test.each(lost)(
      'an engine that %s hears again that the job is restored, until it knows',
      async (_, behaviour) => {
        const behaviours = [behaviour, behaviour, ok];
        await using it = await scene({
          ...restores(`mkfifo $1/fifo\n${TALKS}`),
          engine: { restored: (...call) => behaviours.shift()!(...call) },
        });
        await it.restored();
        await it.line('ready');
        // Its signals reach it all the while.
        process.kill(it.stub.pid, 'SIGUSR1');
        await it.line('USR1');
        await until(() => behaviours.length === 0, { what: 'the engine to know', timeoutMs: 15_000 });
        process.kill(it.stub.pid, 'SIGQUIT');
        expect(await it.stub.said).toMatchObject({ code: 3 });
        const told = it.engine.requests.filter(({ what }) => what === 'restored');
        expect([told.length, new Set(told.map(({ url }) => url)).size]).toEqual([3, 1]);
      },
    );

    test('an engine that never answers does not keep the job from its end', async () => {
      await using it = await scene({ ...restores('exit 6'), engine: { restored: () => {} } });
      expect(await it.stub.said).toMatchObject({ code: 6 });
    });

    test('the job runs in a pid and a mount namespace of its own, and the engine hears which', async () => {
      await using it = await scene(
        restores(
          `until [ -e $1/go ]; do sleep 0.01; done; ls /proc | grep -c '^[0-9]*$'; readlink /proc/self/ns/mnt; echo $$; mkfifo $1/fifo; read <$1/fifo`,
        ),
      );
      const { init, root } = await it.restored();
      // CRIU has ended.
      writeFileSync(join(it.folder, 'go'), '');
      await until(() => it.written().length === 3, { what: 'three lines' });
      const [processes, mounts, pid] = it.written();
      expect(root).toBe(Number(pid));
      // Init, the job, ls and grep.
      expect(Number(processes)).toBeLessThanOrEqual(4);
      expect(mounts).toBe(readlinkSync(`/proc/${init}/ns/mnt`));
      for (const kind of ['mnt', 'pid'])
        expect(readlinkSync(`/proc/${init}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
      expect(readFileSync(`/proc/${init}/status`, 'utf8')).toMatch(/^NSpid:\t\d+\t1$/m);
      expect(it.cgroup.pids()).toContain(init);
      // What is mounted on the machine later is seen in the job, too.
      expect(readFileSync(`/proc/${init}/mountinfo`, 'utf8')).not.toMatch(/shared:/);
    });

    test('nothing of slurmstepd stays open in it, below it or above it', async () => {
      await using it = await scene(restores(`mkfifo $1/fifo; echo ready; read <$1/fifo`));
      const { init } = await it.restored();
      await it.line('ready');
      // A pipe in which something is still awaited stays open; this machine may have given us some.
      const left = () => fds(it.stub.pid).filter((fd) => !fd.includes('pipe:'));
      await until(() => left().length === 5, {
        what: 'the task to have closed what it had',
        details: () => fds(it.stub.pid).join('\n'),
      });
      expect(
        left()
          .map((fd) => fd.replace(/^\d+ /, ''))
          .toSorted(),
      ).toEqual(
        ['/dev/null', '/dev/null', '/dev/null', 'anon_inode:', 'socket:'].map((name) =>
          expect.stringContaining(name),
        ),
      );
      expect(fds(init).map((fd) => fd.replace(/:.*/, ':'))).toEqual([
        '0 /dev/null',
        '1 /dev/null',
        '2 /dev/null',
        '3 socket:',
        '4 anon_inode:',
      ]);
      const environment = readFileSync(`/proc/${init}/environ`, 'utf8').split('\0').filter(Boolean);
      expect(environment.map((variable) => variable.split('=')[0])).toEqual([
        'PATH',
        'LC_ALL',
        'CKPTD_SOCKET',
        'CKPTD_JOB',
      ]);
    });

    test('hands every signal on, once', async () => {
      await using it = await scene(restores(`mkfifo $1/fifo\n${TALKS}`));
      await it.restored();
      await it.line('ready');
      const sent = ['USR1', 'TERM', 'WINCH', 'HUP', 'INT', 'TSTP', 'CONT', 'USR2'] as const;
      for (const name of sent) {
        process.kill(it.stub.pid, `SIG${name}`);
        await it.line(name);
      }
      process.kill(it.stub.pid, 34 as never);
      await it.line('RTMIN');
      process.kill(it.stub.pid, 'SIGQUIT');
      expect(await it.stub.said).toMatchObject({ code: 3 });
      expect(it.written()).toEqual(['ready', ...sent, 'RTMIN', 'bye']);
    });

    test('a signal that comes while it is being restored is not lost', async () => {
      await using it = await scene({
        job: `mkfifo $1/fifo\n${TALKS}`,
        criu: ['--restore', '--wait=go', '--notify=post-restore', `--say=${ROOT}`],
      });
      await it.line('ready');
      process.kill(it.stub.pid, 'SIGQUIT');
      process.kill(it.stub.pid, 'SIGUSR1');
      writeFileSync(join(it.folder, 'go'), '');
      expect(await it.stub.said).toMatchObject({ code: 3 });
      expect(it.written()).toContain('bye');
    });

    test('what the job leaves behind is gone before the task is', async () => {
      await using it = await scene(restores('setsid sleep 300 & setsid sleep 300 & echo left; exit 5'));
      expect(await it.stub.said).toMatchObject({ code: 5 });
      expect(it.written()).toEqual(['left']);
      expect(it.cgroup.pids()).toEqual([]);
    });

    test('orphans are reaped while it runs', async () => {
      await using it = await scene(
        restores(
          'mkfifo $1/fifo; for i in 1 2 3; do (sleep 0.01 &) ; done; sleep 0.3; ps -eo stat= | grep -c Z; echo done; read <$1/fifo',
        ),
      );
      await it.line('done');
      expect(it.written()).toEqual(['0', 'done']);
    });

    test('where the task is killed, all of the job is', async () => {
      await using it = await scene(restores('setsid sleep 300 & mkfifo $1/fifo; echo ready; read <$1/fifo'));
      const { init } = await it.restored();
      await it.line('ready');
      process.kill(it.stub.pid, 'SIGKILL');
      await it.stub.said;
      await until(() => it.cgroup.pids().length === 0, { what: 'the end of the job' });
      // It leaves its cgroup first.
      await until(() => !isThere(init), { what: 'the end of its pid 1', everyMs: 5 });
    });

    test('where its init is killed, the task ends by SIGKILL', async () => {
      await using it = await scene(restores('mkfifo $1/fifo; echo ready; read <$1/fifo'));
      const { init } = await it.restored();
      await it.line('ready');
      process.kill(init, 'SIGKILL');
      expect(await it.stub.said).toMatchObject({ code: null, signal: 'SIGKILL' });
    });

    /** CRIU's code: until that process, or the one whose pid is in that file of the folder, is stopped. */
    const stopped = (what: string) =>
      `--sh=until [ -s $1/child ]; do sleep 0.01; done; until grep -q '^State:.T' /proc/${what}/status; do sleep 0.01; done`;

    test('a job that was stopped as a whole goes on', async () => {
      await using it = await scene({
        job: 'bash -c "kill -STOP \\$\\$; echo child" & echo $! >$1/child; kill -STOP $$; echo root; wait',
        criu: [
          ...['--restore', stopped('$2'), stopped('$(cat $1/child)')],
          ...['--notify=post-restore', `--say=${ROOT}`],
        ],
      });
      expect(await it.stub.said).toMatchObject({ code: 0 });
      expect(it.written().toSorted()).toEqual(['child', 'root']);
    });

    test('what a running job keeps stopped itself stays stopped', async () => {
      await using it = await scene({
        job: 'mkfifo $1/fifo; bash -c "kill -STOP \\$\\$; echo child" & echo $! >$1/child; read <$1/fifo; ps -o state= -p $(cat $1/child)',
        criu: ['--restore', stopped('$(cat $1/child)'), '--notify=post-restore', `--say=${ROOT}`],
      });
      await it.restored();
      writeFileSync(join(it.folder, 'fifo'), '\n');
      expect(await it.stub.said).toMatchObject({ code: 0 });
      expect(it.written()).toEqual(['T']);
    });

    test('it is in its cgroup before anything is asked or started', async () => {
      await using it = await scene({ ...restores('exit 0'), attached: false });
      await it.engine.asked('start');
      // It polls for its cgroup now. Nothing else would tell.
      await until(
        () =>
          readFileSync(`/proc/${it.stub.pid}/syscall`, 'utf8').length > 0 &&
          it.stub.lines.some((line) => line.includes('init_post_opt')),
        { what: 'the task' },
      );
      expect(it.engine.requests.map(({ what }) => what)).toEqual(['start']);
      it.cgroup.enter(it.stub.pid);
      const { url } = await it.engine.asked('go');
      expect(url).toBe(`/v1/jobs/77/go?pid=${it.stub.pid}`);
      expect(await it.stub.said).toMatchObject({ code: 0 });
    });

    test('without cgroups it goes on after some seconds, and says so', { timeout: 30_000 }, async () => {
      await using it = await scene({ ...restores('exit 6'), attached: false });
      const { code, lines } = await it.stub.said;
      expect(code).toBe(6);
      expect(lines).toContain('info: ckptd: job 77: its task is in no cgroup of the job');
    });
  },
);

describe.skipIf(!isRoot && !process.env['CI'])(
  'a job that cannot be restored starts from the beginning',
  { timeout: 20_000 },
  () => {
    beforeAll(async () => {
      built = await build({ sanitize: true });
    }, 300_000);
    afterAll(() => built[Symbol.dispose]());

    const LOG = `--sh=cat >&2 <<'LOG'
(00.001) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.002) pie: 12: nothing of interest
(00.003) Error (criu/files-reg.c:2101): Can't open file shared/data: No such file or directory
(00.004) Error (criu/cr-restore.c:2320): Restoring FAILED.
LOG
`;
    const failures: [name: string, options: SceneOptions, why: RegExp][] = [
      [
        'CRIU fails',
        { criu: [LOG, '--fail'] },
        /^CRIU exited with 1: Error \(criu\/files-reg\.c:2101\): Can't open file .*; Error \(criu\/cr-restore\.c:2320\): Restoring FAILED\.$/,
      ],
      ['CRIU fails and has no log', { criu: ['--fail'] }, /^CRIU exited with 1: its log \S+ has no error$/],
      ['CRIU is killed', { criu: ['--kill'] }, /^CRIU was killed by signal 9/],
      ['CRIU leaves half a tree', { job: 'sleep 300', criu: ['--restore', '--fail'] }, /^CRIU exited with 1/],
      ['CRIU does not say that it restored it', { criu: ['--restore', '--exit=0'] }, /^CRIU exited with 0/],
      [
        'CRIU says that it restored another process',
        { job: 'sleep 300', criu: ['--restore', '--notify=post-restore', '--say=1'] },
        /^CRIU says that process 1 is the job's first/,
      ],
      ['CRIU hangs', { criu: ['--hang'], config: ['wait=1'] }, /^CRIU had not restored it after 1 s$/],
      [
        'CRIU is not there',
        { criu: [], argv: (usual) => usual.with(usual.indexOf('--') + 1, '/nowhere/criu') },
        /^CRIU exited with 127: Error \(ckptd-criu\): cannot run \/nowhere\/criu: No such file or directory$/,
      ],
      [
        'the engine refuses what was restored',
        { ...restores('sleep 300'), engine: { check: answer(409, 'process 7 has another limit\n') } },
        /^the engine refuses the restored files \(409\): process 7 has another limit$/,
      ],
      [
        'the helper is not there',
        { criu: [], argv: (usual) => usual.with(0, '/nowhere/ckptd-criu') },
        /ended without a word/,
      ],
      ['the helper is something else', { criu: [], argv: () => ['/bin/true'] }, /ended without a word/],
      [
        'the helper does not like its arguments',
        { criu: [], argv: (usual) => [...usual.slice(0, 2), '--frobnicate', '1'] },
        /ended without a word/,
      ],
      [
        'the helper says nonsense',
        { criu: [], argv: () => ['/bin/sh', '-c', 'echo nonsense >&3; sleep 300'] },
        /ended without a word/,
      ],
      [
        'the engine says no',
        { ...restores('exit 0'), engine: { go: answer(409, 'out is gone\n') } },
        /^the engine answers 409: out is gone$/,
      ],
      [
        'the engine hangs up',
        {
          ...restores('exit 0'),
          engine: { go: (connection) => connection.destroy() },
          config: ['wait=1'],
        },
        /hung up|cannot (read|send)|in time/,
      ],
    ];
    test.each(failures)('%s', async (_name, options, why) => {
      await using it = await scene(options);
      const { lines, code, signal } = await it.stub.said;
      expect({ code, signal }).toEqual({ code: 0, signal: null });
      expect(lines.at(-1)).toBe('task_init_privileged returned 0');
      const [told] = it.engine.requests.filter(({ what }) => what === 'failed');
      expect(told?.body).toMatch(why);
      expect(lines.join('\n')).toContain(
        `error: ckptd: job 77 starts from the beginning, checkpoint ${ACTION} could not be restored: ${told?.body}`,
      );
      // slurmstepd's errors are on the job's stderr by then: that is its user's line.
      expect(lines.filter((line) => /^(error|user): /.test(line))).toHaveLength(1);
      expect(it.engine.requests.map(({ what }) => what)).not.toContain('restored');
      expect(it.cgroup.pids()).toEqual([]);
    });

    test('a signal that came meanwhile is for the job that starts', async () => {
      await using it = await scene({
        criu: ['--sh=touch $1/restoring', '--wait=go', '--fail'],
      });
      await until(() => existsSync(join(it.folder, 'restoring')), { what: 'CRIU' });
      process.kill(it.stub.pid, 'SIGTERM');
      writeFileSync(join(it.folder, 'go'), '');
      expect(await it.stub.said).toMatchObject({ signal: 'SIGTERM' });
    });
  },
);
