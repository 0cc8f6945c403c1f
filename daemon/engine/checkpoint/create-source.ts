import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { slurmCommands } from '../../slurm/commands.ts';
import { confCommand, readConf } from '../../slurm/conf.ts';
import { withHardDeadline } from '../../system/async/deadline.ts';
import { Mutex } from '../../system/async/mutex.ts';
import { BoundedMap } from '../../system/bounded-map.ts';
import { Lanes } from '../../system/lanes.ts';
import type { Millis } from '../../vocabulary/job.ts';
import { readMachine } from '../criu/machine.ts';
import type { EnginePorts } from '../ports.ts';
import { createFreezer } from '../proc/cgroup-freezer.ts';
import { parseMounts } from '../proc/mounts.ts';
import { atStore } from '../store/fs/threads.ts';
import { deviceOf, reachOf } from './dump/file-systems.ts';
import { KnownJobs } from './find/known-job.ts';
import type { Source } from './source.ts';

/** The job stands frozen meanwhile. */
const STORE_MS: Millis = 30_000;

/** What a test puts in the place of the machine's own. */
export interface SourceParts {
  readonly proc?: string;
  readonly newId?: () => string;
  /** kill(2). */
  readonly signal?: (pid: number, signal: NodeJS.Signals) => void;
}

export function createSource(ports: EnginePorts, parts: SourceParts): Source {
  const { config, store, exec, clock } = ports;
  const { proc = '/proc', newId = randomUUID, signal = (pid, name) => void process.kill(pid, name) } = parts;
  const slurm = slurmCommands(config.slurm.bin);
  const lanes = new Lanes();
  return {
    ...ports,
    slurm,
    proc,
    newId,
    finder: {
      exec,
      clock,
      slurm,
      node: config.slurm.node,
      runDir: config.runDir,
      spoolDir: spoolDirOf(ports, slurm),
      proc,
    },
    known: new KnownJobs(),
    dumper: {
      exec,
      clock,
      proc,
      criu: config.criu,
      helper: config.helper,
      lanes,
      rootRefused: new BoundedMap(1_000),
    },
    archiver: { exec, lanes, scratch: config.scratch },
    publisher: {
      store,
      clock,
      clusterId: config.clusterId,
      node: config.slurm.node,
      compress: config.compress,
      machine: () => readMachine(proc),
    },
    freezer: createFreezer({ clock, proc, signal }),
    compressing: new Mutex(),
    async reachOf() {
      const mounts = parseMounts(await readFile(join(proc, 'self/mountinfo'), 'utf8'));
      const late = `the file system of ${config.dir} does not answer`;
      const dir = await withHardDeadline(STORE_MS, late, ports.signal, (stop) =>
        atStore(() => stat(config.dir, { bigint: true }), stop),
      );
      return reachOf(mounts, deviceOf(dir.dev));
    },
  };
}

/** Asked once; until slurmctld has answered, each time. */
function spoolDirOf(
  { config, exec }: EnginePorts,
  slurm: ReturnType<typeof slurmCommands>,
): () => Promise<string> {
  let known: string | null = null;
  const { node } = config.slurm;
  return async () => {
    if (known !== null) return known;
    const read = readConf(await exec.run(confCommand(slurm)), { node, host: hostname().split('.')[0]! });
    if (read.type !== 'conf') throw new Error(read.message);
    known = read.conf.spoolDir;
    return known;
  };
}
