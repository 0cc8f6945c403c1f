/*
 * What the hooks add to a job's start and end, run in a compute node as slurmd runs them: by root, without PATH,
 * with Slurm's variables, their output read to its end.
 */
import { CkptdLab, startDaemon } from '../cluster/ckptd-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import type { Timed } from './inside/time-command.ts';
import type { Section } from './report.ts';
import { median, summary } from './statistics.ts';
import { figure } from './table.ts';
import { INSIDE, timeInside } from './time-inside.ts';

const RUNS = 100;
const SOCKET = '/run/ckptd/ckptd.sock';
const EMPTY = '/etc/empty-prolog';

export const hooks: Section = {
  name: 'hooks',
  title: 'what the hooks add to the start and the end of a job',
  async run(report) {
    await using cluster = await CkptdLab.start({
      nodes: 1,
      hooks: false,
      config: { slurm: {} },
      binds: [INSIDE],
      files: { [EMPTY]: { content: '#!/bin/sh\nexit 0\n', mode: 0o755 } },
    });
    const node = cluster.lab.nodes[0]!;
    await timeHook(node, { hook: EMPTY, runs: 20 });
    const empty = await timeHook(node, { hook: EMPTY, runs: RUNS });
    // Each new job is looked up by the daemon; a moment lies between, as between jobs that Slurm starts.
    const up = await timeHook(node, { runs: RUNS, pauseMs: 60 });
    const epilog = await timeHook(node, { runs: RUNS, pauseMs: 60, epilog: true });

    await node.run('kill -STOP $(systemctl show ckptd --property MainPID --value)');
    const hung = await timeHook(node, { runs: 10 });
    await node.run('kill -CONT $(systemctl show ckptd --property MainPID --value)');
    await node.run(['systemctl', 'stop', 'ckptd']);
    const missing = await timeHook(node, { runs: RUNS });
    await node.run(`mkdir -p /run/ckptd && perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) and
      bind(S, sockaddr_un("${SOCKET}")) or die $!'`);
    const stale = await timeHook(node, { runs: RUNS });
    await startDaemon(node);

    const rows: [string, Timed][] = [
      ['an empty #!/bin/sh script', empty],
      ['prolog, daemon up', up],
      ['epilog, daemon up', epilog],
      ['prolog, daemon down: no socket', missing],
      ['prolog, daemon down: stale socket', stale],
      ['prolog, daemon hung (SIGSTOP)', hung],
    ];
    report.table(
      ['', 'runs', 'best ms', 'median ms', 'p95 ms', 'worst ms', 'CPU ms', 'median over empty', 'exit'],
      rows.map(([what, { wallMs, cpuMs, exitCodes }]) => {
        const s = summary(wallMs);
        const times = [s.best, s.median, s.p95, s.worst, cpuMs, s.median - median(empty.wallMs)];
        return [what, `${s.count}`, ...times.map(figure), exitCodes.join()];
      }),
    );
    report.goal('prolog, daemon up, median', median(up.wallMs), { atMost: 20 }, 'ms');
    report.goal('epilog, daemon up, median', median(epilog.wallMs), { atMost: 20 }, 'ms');
    report.goal('daemon down, no socket, median', median(missing.wallMs), { atMost: 10 }, 'ms');
    report.goal('daemon down, stale socket, median', median(stale.wallMs), { atMost: 10 }, 'ms');
    report.goal('daemon hung, worst', summary(hung.wallMs).worst, { atMost: 1_100 }, 'ms');
  },
};

interface HookRuns {
  readonly hook?: string;
  readonly runs: number;
  readonly pauseMs?: number;
  readonly epilog?: boolean;
}

let nextJob = 500_000;

function timeHook(node: LabNode, { hook, runs, pauseMs = 5, epilog = false }: HookRuns): Promise<Timed> {
  const firstJob = nextJob;
  nextJob += runs;
  const event = epilog ? 'epilog' : 'prolog';
  return timeInside(node, {
    argv: [hook ?? `/usr/lib/ckptd/hooks/${event}`],
    runs,
    pauseMs,
    counting: 'SLURM_JOB_ID',
    env: {
      SLURM_JOB_ID: `${firstJob}`,
      SLURM_JOB_UID: '1000',
      SLURM_JOB_GID: '1000',
      SLURM_JOB_USER: 'alice',
      SLURM_JOB_PARTITION: 'main',
      SLURM_JOB_NUM_NODES: '1',
      SLURM_NODELIST: 'n1',
      SLURMD_NODENAME: 'n1',
      SLURM_CLUSTER_NAME: 'lab',
      SLURM_CONF: '/etc/slurm/slurm.conf',
      SLURM_JOB_RESTART_COUNT: '0',
      SLURM_JOB_WORK_DIR: '/home/alice/project',
      SLURM_JOB_STDOUT: '/home/alice/project/slurm-%j.out',
      SLURM_JOB_COMMENT: 'a "quoted" comment',
      SLURM_SCRIPT_CONTEXT: `${event}_slurmd`,
      ...(epilog ? { SLURM_JOB_EXIT_CODE: '0' } : {}),
    },
  });
}
