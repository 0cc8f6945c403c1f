import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { StandIn } from '../support/cedana/stand-in.ts';
import { daemonConfig } from './daemon-config.ts';
import { DaemonProcess } from './daemon-process.ts';
import type { Scenario } from './scenario.ts';
import { answer } from './slurm-answers.ts';
import { SlurmCluster } from './slurm-cluster.ts';
import { type SlurmPrograms, slurmPrograms } from './slurm-programs.ts';
import { Trigger } from './trigger.ts';

export interface RigOptions {
  readonly program: string;
  readonly compileCache: string;
  /** Group of the daemon's socket. */
  readonly group: string;
  /** Keys of ckptd.yaml's blocks, over the story's own. */
  readonly config?: Readonly<Record<string, object>>;
  /** What Node itself is told. */
  readonly nodeFlags?: readonly string[];
}

/** A service that acts later than this after a request cannot be told from one that never will. */
const LATEST_ACT_MS = 4_000;

/** A world of its own for one run: cluster, API and daemon, in one folder. */
export interface Rig extends AsyncDisposable {
  readonly stateDir: string;
  readonly configFile: string;
  /** The file that tells of a termination, where the story has it. */
  readonly noticeFile: string;
  readonly logFile: string;
  readonly cluster: SlurmCluster;
  readonly api: StandIn;
  readonly slurm: SlurmPrograms;
  readonly daemon: DaemonProcess;
  readonly trigger: Trigger;
  /** The jobs whose restore was carried out, in order. */
  readonly restored: readonly RestoredRun[];
}

export interface RestoredRun {
  readonly jobId: number;
  /** The source's `Requeue` in that moment. */
  readonly requeue: boolean;
}

export async function createRig(story: Scenario, options: RigOptions): Promise<Rig> {
  await using resources = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'ckptd-crash-'));
  resources.defer(() => rm(dir, { recursive: true, force: true }));
  const folder = async (name: string) => {
    await mkdir(join(dir, name), { mode: 0o700 });
    return join(dir, name);
  };
  const [bin, spool, stateDir] = [await folder('bin'), await folder('spool'), await folder('state')];
  const trigger = new Trigger();
  const restored: RestoredRun[] = [];

  const cluster = resources.use(new SlurmCluster(spool, story.pace));
  for (const { ageMs, ...job } of story.jobs) await cluster.run(job, ageMs);
  const slurm = resources.use(
    await slurmPrograms(bin, {
      answer: (command) => answer(cluster, spool, command),
      onCommand: () => trigger.saw('command'),
      onDone: () => trigger.saw('command-done'),
    }),
  );
  const api = resources.use(
    new StandIn({
      listen: { port: 0 },
      onRequest: ({ route }) => trigger.saw('request', route === 'restore'),
      onEntry: ({ route, answered }) => {
        if (answered) trigger.saw('answer', route === 'restore');
      },
    }),
  );
  await api.listen();
  const socket = join(dir, 'ckptd.sock');
  const files = { config: join(dir, 'ckptd.yaml'), log: join(dir, 'log'), socket };
  const noticeFile = join(await folder('notices'), 'terminate');
  const config = daemonConfig(story, {
    ...{ url: api.url, bin, socket, stateDir, group: options.group },
    notice: noticeFile,
  });
  for (const [block, keys] of Object.entries(options.config ?? {})) {
    config[block] = { ...(config[block] as object), ...keys };
  }
  await writeFile(files.config, stringify(config));
  const daemon = new DaemonProcess({ ...options, ...files });
  resources.defer(async () => {
    daemon.kill();
    await daemon.gone();
  });
  serve(api, story, async (jobId) => {
    if (story.pace.actsAfterLook && !daemon.running) {
      const looked = slurm.next(({ args }) => args.includes('-u'));
      await Promise.race([looked, sleep(LATEST_ACT_MS)]);
    }
    const job = cluster.jobs.get(jobId)!;
    restored.push({ jobId, requeue: job.requeue });
    const done = story.sourceJob === 'cancel' ? cluster.replace(job) : cluster.requeue(job);
    trigger.saw('acted', true);
    if (!story.pace.answersEarly) await done;
  });

  if (story.epilog) {
    cluster.onEpilog = ({ jobId, restarts }) => {
      const env = { SLURM_JOB_ID: String(jobId), SLURM_JOB_RESTART_COUNT: String(restarts) };
      void daemon.ask(`/v1/jobs/${jobId}/epilog`, 'POST', { env });
    };
  }
  const all = resources.move();
  return {
    ...{
      stateDir,
      configFile: files.config,
      noticeFile,
      logFile: files.log,
      cluster,
      api,
      slurm,
      daemon,
      trigger,
      restored,
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The stand-in as this story's service. */
function serve(
  { service, scripts }: StandIn,
  story: Scenario,
  restore: (jobId: number) => Promise<void>,
): void {
  const { pace } = story;
  service.behaviour.lifecycle = { afterMs: pace.checkpointMs, end: 'ready' };
  service.behaviour.onRestore = async ({ action_id }) => {
    await restore(Number(service.checkpoints.get(action_id)?.jobId));
    await sleep(pace.beforeAnswerMs);
  };
  scripts.restore.latencyMs = pace.beforeActingMs;
  scripts.restore.faults = [...story.restoreFaults];
  scripts.checkpoint.faults = [...story.checkpointFaults];
}
