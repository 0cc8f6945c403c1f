import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { createCgroups, removeCgroups } from './cgroups.ts';
import { LabError } from './lab-error.ts';
import { until } from './until.ts';

/** A folder or file of this machine that is seen in the nodes. */
export interface Bind {
  from: string;
  to: string;
  readOnly?: boolean;
}

export interface ContainerOptions {
  /** Unique on this machine: names the machine and its cgroups. */
  machine: string;
  hostname: string;
  root: string;
  /** File that a network namespace is mounted on. */
  netns: string;
  binds: Bind[];
  /** File that gets what systemd says on the console; overwritten. */
  consoleLog: string;
}

/** A booted systemd-nspawn container. */
export class Container {
  readonly #options: ContainerOptions;
  readonly #nspawn: ChildProcess;

  private constructor(options: ContainerOptions, nspawn: ChildProcess) {
    this.#options = options;
    this.#nspawn = nspawn;
  }

  /** Boots; resolves when init runs, which is before its services do. Throws LabError with the end of the console. */
  static async boot(options: ContainerOptions): Promise<Container> {
    const procs = await createCgroups(options.machine);
    const console = await open(options.consoleLog, 'w');
    // nspawn --keep-unit takes its own cgroup for the container's: enter it first, in every hierarchy.
    const enter =
      'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1" || exit 1; shift; n=$((n - 1)); done; exec "$@"';
    const argv = [
      '-c',
      enter,
      'sh',
      `${procs.length}`,
      ...procs,
      'systemd-nspawn',
      ...nspawnArguments(options),
    ];
    const nspawn = spawn('sh', argv, {
      detached: true, // A Ctrl-C is for whoever runs the lab; the container ends with its cgroups.
      stdio: ['ignore', console.fd, console.fd],
      // Without it nspawn's own filter stays on the container, and CRIU cannot suspend seccomp.
      env: { ...process.env, SYSTEMD_SECCOMP: '0' },
    });
    await once(nspawn, 'spawn');
    nspawn.unref();
    await console.close();
    const container = new Container(options, nspawn);
    const tail = () => consoleTail(options.consoleLog);
    try {
      const what = `init of ${options.machine}`;
      await until(async () => container.ended || (await findInit(nspawn.pid!)), {
        what,
        everyMs: 5,
        details: tail,
      });
      if (container.ended) throw new LabError(`${options.machine} did not boot:\n${await tail()}`);
      return container;
    } catch (error) {
      await container.kill();
      throw error;
    }
  }

  /** Whether it is off, by itself or not: nspawn ends when its container powers off or reboots. */
  get ended(): boolean {
    return this.#nspawn.exitCode !== null || this.#nspawn.signalCode !== null;
  }

  /** Pid of its init, as this machine sees it. */
  async initPid(): Promise<number> {
    const pid = await findInit(this.#nspawn.pid!);
    if (!pid) throw new LabError(`${this.#options.machine} has no init: it is going down`);
    return pid;
  }

  /** Kills everything in it at once, as if its power had failed, and removes its cgroups. */
  async kill(): Promise<void> {
    await removeCgroups(this.#options.machine);
    await this.#ended('be killed');
  }

  /** Shuts it down in good order; its cgroups stay until `kill`. Throws LabError if that takes longer than `timeoutMs`. */
  async powerOff(timeoutMs: number): Promise<void> {
    const sigrtmin = 34;
    process.kill(await this.initPid(), sigrtmin + 4);
    await this.#ended('power off', timeoutMs);
  }

  async #ended(how: string, timeoutMs?: number): Promise<void> {
    await until(() => this.ended, {
      what: `${this.#options.machine} to ${how}`,
      everyMs: 5,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      details: () => consoleTail(this.#options.consoleLog),
    });
  }
}

/** Removes what nspawn notes about a container on this machine, and leaves there when it is killed itself. */
export async function forgetContainer(machine: string, root: string): Promise<void> {
  const notes = '/run/systemd/nspawn';
  await rm(`${notes}/propagate/${machine}`, { recursive: true, force: true });
  const at = await stat(root).catch(() => undefined);
  if (at) await rm(`${notes}/locks/inode-${at.dev}:${at.ino}`, { force: true });
}

/** The last lines of a console log. */
export async function consoleTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-30).join('\n');
}

function nspawnArguments(options: ContainerOptions): string[] {
  const escapePath = (path: string) => path.replace(/[\\:]/g, '\\$&');
  const binds = options.binds.map(
    (bind) => `--bind${bind.readOnly ? '-ro' : ''}=${escapePath(bind.from)}:${escapePath(bind.to)}`,
  );
  return [
    '--quiet',
    '--register=no',
    '--keep-unit',
    `--machine=${options.machine}`,
    `--hostname=${options.hostname}`,
    `--directory=${options.root}`,
    `--network-namespace-path=${options.netns}`,
    '--capability=all',
    '--console=pipe',
    '--link-journal=no',
    '--resolv-conf=off',
    '--timezone=off',
    ...binds,
    '--boot',
  ];
}

/** nspawn's child that is pid 1 of its own namespace and has become systemd: the container's own root is in place. */
async function findInit(nspawn: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${nspawn}/task/${nspawn}/children`, 'utf8').catch(() => '');
  for (const pid of children.split(' ').filter(Boolean)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (/^Name:\tsystemd$/m.test(status) && /^NSpid:\t\d+\t1$/m.test(status)) return Number(pid);
  }
  return undefined;
}
