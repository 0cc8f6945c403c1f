/** The plugin and its helper on real Slurm, with real CRIU; only the engine is a stand-in. */
import { mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readCores } from '../../../daemon/engine/criu/images/cores.ts';
import { Lab, type LabNode, until } from '../../lab/lab.ts';
import { ACTION, answer, type Behaviour, type FakeEngine, fakeEngine, plan } from './fake-engine.ts';
import { type Built, build } from './plugin.ts';

const HELPER = '/usr/lib/ckptd/ckptd-criu';
const ENGINE = '/shared/.engine';
const ok = answer(200, 'ok\n');
/** Says its hooks' environment, and nothing of ckptd. */
const HOOK = `#!/bin/sh
printf '%s %s %s\\n' "$SLURM_SCRIPT_CONTEXT" "$SLURM_JOB_ID" "$(env | grep ^SPANK_ | sort | tr '\\n' ' ')" >>/shared/hooks.log
`;

let built: Built;
let lab: Lab;
let engine: FakeEngine;
/** What the engine does for each job; what is not here is a fresh start. */
const routes: Partial<Record<string, Behaviour>> = {};

beforeAll(async () => {
  built = await build({ sanitize: false });
  lab = await Lab.start({
    nodes: 2,
    files: {
      '/etc/slurm/plugstack.conf': `optional /usr/lib/ckptd/ckptd_spank.so socket=${ENGINE}/api.sock\n`,
      '/usr/lib/ckptd/hooks/prolog': { content: HOOK, mode: 0o755 },
      '/usr/lib/ckptd/hooks/epilog': { content: HOOK, mode: 0o755 },
    },
  });
  const folder = join(lab.shared, '.engine');
  mkdirSync(folder, { mode: 0o700 });
  const route =
    (what: string, otherwise: Behaviour): Behaviour =>
    (connection, request) =>
      (routes[what] ?? otherwise)(connection, request);
  const none = route('start', answer(204, ''));
  engine = await fakeEngine(
    { start: none, go: route('go', ok), check: route('check', ok), restored: ok, failed: ok, ended: ok },
    join(folder, 'api.sock'),
  );
  for (const node of [lab.ctl, ...lab.nodes]) {
    await node.copyIn(built.plugin, '/usr/lib/ckptd/ckptd_spank.so');
    await node.copyIn(built.helper, HELPER);
  }
  for (const node of lab.nodes) {
    await node.run('criu check || true; systemctl restart slurmd');
    await node.ready();
  }
  for (const node of lab.nodes) await lab.waitForNode(node.name, 'IDLE');
});
afterEach(() => {
  for (const what of Object.keys(routes)) delete routes[what];
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  built?.[Symbol.dispose]();
});

const asked = (what: string, jobId: number) =>
  engine.requests.filter((request) => request.what === what && request.url.startsWith(`/v1/jobs/${jobId}/`));
const output = (jobId: number) => readFileSync(join(lab.shared, `slurm-${jobId}.out`), 'utf8').split('\n');
const written = (jobId: number, line: string) =>
  until(() => output(jobId).includes(line), {
    what: `job ${jobId} to write ${line}`,
    details: () => output(jobId).slice(-5).join('\n'),
  });

/** The batch script's own process: slurmstepd's child in the cgroup of the job. */
const FIND = `for p in /proc/[0-9]*; do
  grep -qs "/job_$1/step_batch" $p/cgroup || continue
  [ "$(cat /proc/$(awk '/^PPid/{print $2}' $p/status)/comm 2>/dev/null)" = slurmstepd ] && [ "$(cat $p/comm)" != slurmstepd ] && echo \${p#/proc/}
done`;
const OPTIONS = ['--shell-job', '--file-locks', '--ext-unix-sk', '--tcp-close', '--manage-cgroups=ignore'];
let dumps = 0;

interface Dump {
  readonly folder: string;
  /** Of the job's output, while it was frozen. */
  readonly size: number;
  /** In the job's own pid namespace. */
  readonly root: string;
  readonly groups: readonly number[];
}

/** What the engine does on the source: a dump that leaves the job stopped, with the record of its files. */
async function dump(node: LabNode, jobId: number): Promise<Dump> {
  const folder = `${ENGINE}/dump-${++dumps}`;
  await node.run(['mkdir', '-p', `${folder}/images`, `${folder}/work`]);
  const restored = asked('restored', jobId).at(-1)?.url;
  const query = new URLSearchParams(restored?.split('?')[1]);
  const root = query.get('root') ?? (await node.run(['bash', '-c', FIND, 'sh', `${jobId}`])).stdout.trim();
  const inside = query.has('init') ? ['--inside', query.get('init')!] : [];
  const criu = [
    '/usr/sbin/criu',
    'dump',
    '-t',
    root,
    '-D',
    `${folder}/images`,
    '-W',
    `${folder}/work`,
    '-o',
    'dump.log',
  ];
  await node.run(
    [
      HELPER,
      'run',
      '--uid',
      '2000',
      '--gid',
      '2000',
      ...inside,
      '--',
      ...criu,
      '-v2',
      ...OPTIONS,
      '--leave-stopped',
      '--action-script',
      HELPER,
    ],
    { env: { CKPTD_RECORD: `${folder}/record`, CKPTD_ROOT: root } },
  );
  const record = await node.readFile(`${folder}/record`);
  const size = new RegExp(`^fd \\d+ 1 \\d+ \\S+ \\d+ (\\d+) \\d+ 1 /shared/slurm-${jobId}\\.out$`, 'm').exec(
    record,
  )?.[1];
  expect(record.trimEnd().split('\n').at(-1)).toMatch(/^end \d+$/);
  // The owner's CRIU reads them, from a folder that it is given open.
  await node.run(`chmod 444 ${folder}/images/*; chmod 555 ${folder}/images`);
  const cores = await readCores(join(lab.shared, '.engine', basename(folder), 'images'));
  if (typeof cores === 'string') throw new Error(cores);
  return { folder, size: Number(size), root, groups: cores.credentials.groups };
}

const restoreFrom = ({ folder, root, groups }: Dump): Behaviour =>
  plan([
    ...[HELPER, 'init', '--uid', '2000', '--gid', '2000', '--groups', groups.join(' ')],
    ...['--capabilities', 'checkpoint_restore,setpcap', '--images', `${folder}/images`, '--root', root],
    ...['--log', `${folder}/work/restore.log`, '--', '/usr/sbin/criu', '--no-default-config', ...OPTIONS],
  ]);

/** As the engine moves it: the next run is on the other node, and at once. */
async function requeue(jobId: number, away: LabNode): Promise<LabNode> {
  const next = lab.nodes.find((node) => node !== away)!;
  await lab.ctl.run(['scontrol', 'requeue', `${jobId}`]);
  await lab.waitForJob(jobId, 'PENDING');
  await lab.ctl.run(['scontrol', 'update', `jobid=${jobId}`, 'StartTime=now', `ExcNodeList=${away.name}`]);
  const { BatchHost } = await lab.waitForJob(jobId, 'RUNNING');
  expect(BatchHost).toBe(next.name);
  return next;
}

async function move(jobId: number, from: LabNode): Promise<LabNode> {
  const taken = await dump(from, jobId);
  const before = asked('restored', jobId).length;
  routes['start'] = restoreFrom(taken);
  routes['go'] = (connection, request) => {
    truncateSync(join(lab.shared, `slurm-${jobId}.out`), taken.size);
    ok(connection, request);
  };
  const next = await requeue(jobId, from);
  await until(() => asked('restored', jobId).length > before, {
    what: `job ${jobId} to be restored`,
    timeoutMs: 20_000,
  });
  return next;
}

const COUNT = `#!/bin/bash
trap 'echo USR1' USR1
echo "start $(hostname)"
for ((i = 0; ; i++)); do echo $i; [ -e /shared/stop-$SLURM_JOB_ID ] && exit 7; read -rt 0.05 <>/shared/fifo-$SLURM_JOB_ID; done
`;

describe('a batch job with the plugin', () => {
  test('goes on where it was after two moves, and ends as itself', async () => {
    const [n1, n2] = lab.nodes as [LabNode, LabNode];
    const jobId = await lab.submit({
      script: COUNT.replace('echo "start', 'mkfifo /shared/fifo-$SLURM_JOB_ID; echo "start'),
      options: ['--exclude=n2', '--open-mode=append'],
    });
    await written(jobId, '5');
    expect(await move(jobId, n1)).toBe(n2);
    await written(jobId, '30');

    // Slurm sees, signals, stops and accounts for it as for any job.
    await lab.ctl.run(['scancel', '--batch', '--signal=USR1', `${jobId}`]);
    await written(jobId, 'USR1');
    await lab.ctl.run(['scontrol', 'suspend', `${jobId}`]);
    await lab.waitForJob(jobId, 'SUSPENDED');
    const look = `cat /sys/fs/cgroup/freezer/*/uid_2000/job_${jobId}/step_batch/freezer.state 2>/dev/null ||
      cat /sys/fs/cgroup/system.slice/*/job_${jobId}/step_batch/cgroup.freeze`;
    await until(async () => /^(FROZEN|1)$/.test((await n2.run(look)).stdout.trim()), {
      what: 'it to be frozen',
    });
    await lab.ctl.run(['scontrol', 'resume', `${jobId}`]);
    const at = output(jobId).length;
    await until(() => output(jobId).length > at, { what: 'it to go on' });

    expect(await move(jobId, n2)).toBe(n1);
    const further = output(jobId).length + 10;
    await until(() => output(jobId).length > further, { what: 'it to go on' });
    await lab.ctl.run(['touch', `/shared/stop-${jobId}`]);
    const { ExitCode, Restarts } = await lab.waitForJob(jobId, 'FAILED');
    expect({ ExitCode, Restarts }).toEqual({ ExitCode: '7:0', Restarts: '2' });

    const lines = output(jobId).filter((line) => line !== '' && !line.startsWith('slurmstepd'));
    expect(lines.filter((line) => line === 'USR1')).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('start'))).toEqual(['start n1']);
    const numbers = lines.filter((line) => /^\d+$/.test(line)).map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    // Nothing of it is left anywhere.
    for (const node of lab.nodes)
      expect(
        (await node.run(['pgrep', '-f', `[c]kptd-criu init|[j]ob0*${jobId}/slurm_script`], { reject: false }))
          .stdout,
      ).toBe('');
    expect(asked('ended', jobId).length).toBeGreaterThan(0);
    expect(asked('failed', jobId)).toEqual([]);
  });

  test('a restored job dies by scancel, with its trap', async () => {
    const jobId = await lab.submit({
      script: COUNT.replace(
        "trap 'echo USR1' USR1",
        "trap 'echo TERM; exit 43' TERM; mkfifo /shared/fifo-$SLURM_JOB_ID",
      ),
      options: ['--exclude=n2', '--open-mode=append'],
    });
    await written(jobId, '3');
    await move(jobId, lab.nodes[0]!);
    const { length } = output(jobId);
    await until(() => output(jobId).length > length + 5, { what: 'it to go on' });
    await lab.ctl.run(['scancel', `${jobId}`]);
    await written(jobId, 'TERM');
    expect(await lab.waitForJob(jobId, 'CANCELLED')).toMatchObject({ ExitCode: '43:0' });
  });

  test('what the engine does not allow never runs: the job starts from the beginning', async () => {
    const jobId = await lab.submit({
      script: COUNT.replace("trap 'echo USR1' USR1", 'mkfifo /shared/fifo-$SLURM_JOB_ID 2>/dev/null'),
      options: ['--exclude=n2', '--open-mode=append'],
    });
    await written(jobId, '10');
    const taken = await dump(lab.nodes[0]!, jobId);
    routes['start'] = restoreFrom(taken);
    routes['check'] = answer(409, 'the job may not have /etc/shadow\n');
    try {
      await requeue(jobId, lab.nodes[0]!);
      await written(jobId, 'start n2');
      const [told] = asked('failed', jobId);
      expect(told?.body).toBe(
        'the engine refuses the restored files (409): the job may not have /etc/shadow',
      );
      const lines = output(jobId).filter((line) => /^(\d+|start .*|slurmstepd.*checkpoint.*)$/.test(line));
      const again = lines.indexOf('start n2');
      // Between the last number of the old run and the start there is nothing of a restored one.
      const before = lines
        .slice(0, again)
        .filter((line) => /^\d+$/.test(line))
        .map(Number);
      expect(before).toEqual(before.map((_, index) => index));
      expect(output(jobId).join('\n')).toContain(
        `job ${jobId} starts from the beginning, checkpoint ${ACTION} could not be restored`,
      );
    } finally {
      await lab.ctl.run(['scancel', `${jobId}`]);
      await lab.waitForJob(jobId, 'CANCELLED');
    }
  });

  test('an engine that prepares for half a minute does not make Slurm lose the job', {
    timeout: 90_000,
  }, async () => {
    routes['start'] = (connection, request) => {
      setTimeout(() => answer(204, '')(connection, request), 30_000);
    };
    const jobId = await lab.submit({ script: '#!/bin/sh\necho ran $SLURM_RESTART_COUNT\n' });
    expect(await lab.waitForJob(jobId, 'COMPLETED', { timeoutMs: 60_000 })).toMatchObject({ Restarts: '0' });
    expect(output(jobId)).toContain('ran');
  });

  test('its options reach Prolog and Epilog; steps are never asked about', async () => {
    const jobId = await lab.submit({
      script: '#!/bin/sh\n#SBATCH --ckpt-interval=15m\nsrun true\n',
      options: ['--ckpt-kind=rootfs', '--no-ckpt'],
    });
    await lab.waitForJob(jobId, 'COMPLETED');
    const given = 'SPANK_CKPT_INTERVAL=15m SPANK_CKPT_KIND=rootfs SPANK_CKPT_OFF=1 ';
    await until(
      () => readFileSync(join(lab.shared, 'hooks.log'), 'utf8').includes(`epilog_slurmd ${jobId} ${given}`),
      {
        what: 'the epilog',
        details: () => readFileSync(join(lab.shared, 'hooks.log'), 'utf8'),
      },
    );
    expect(readFileSync(join(lab.shared, 'hooks.log'), 'utf8')).toContain(`prolog_slurmd ${jobId} ${given}`);
    expect(asked('start', jobId)).toHaveLength(1);
  });

  test.each([
    ['sbatch', '--wrap=true'],
    ['salloc', 'true'],
    ['srun', 'true'],
  ])('%s refuses a value that means nothing', async (...command) => {
    for (const option of ['--ckpt-interval=5', '--ckpt-kind=all']) {
      const said = await lab.ctl.run([command[0]!, option, command[1]!], {
        user: 'alice',
        cwd: '/shared',
        reject: false,
      });
      expect(said.exitCode).not.toBe(0);
      expect(said.stderr).toMatch(/--ckpt-interval: "5" is not a time like|--ckpt-kind: "all" is not one of/);
    }
  });

  test('where there is no engine, jobs run as ever', async () => {
    for (const node of lab.nodes)
      await node.writeFile(
        '/etc/slurm/plugstack.conf',
        'optional /usr/lib/ckptd/ckptd_spank.so socket=/run/none/api.sock\n',
      );
    const jobId = await lab.submit({ script: '#!/bin/sh\nexit 3\n' });
    expect(await lab.waitForJob(jobId, 'FAILED')).toMatchObject({ ExitCode: '3:0' });
  });
});
