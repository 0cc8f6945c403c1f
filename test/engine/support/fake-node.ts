import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface FakeProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly name?: string;
  readonly uid?: number;
  /** Of one that runs a setuid program; `uid` is what it has of it. */
  readonly realUid?: number;
  readonly state?: string;
  readonly startTime?: number;
  /** In its own pid namespace, where that is another one. */
  readonly nsPid?: number;
  /** Default: the batch step of job 7. */
  readonly cgroup?: string;
  readonly exe?: string;
  readonly cmdline?: readonly string[];
  /** Of seccomp(2): 2 is a filter. */
  readonly seccomp?: number;
  /** Capabilities, as /proc has them. */
  readonly inheritable?: string;
  readonly noNewPrivs?: boolean;
}

const STEP = '/slurm_n1/uid_1500/job_7/step_batch';

/** A /proc and a freezer's hierarchy made of plain files: freezing is a word in a file, and nothing can be signalled. */
export class FakeNode implements AsyncDisposable {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** With a running job 7: slurmstepd 60, its batch script 70 and a child 71. */
  static async make(): Promise<FakeNode> {
    const node = new FakeNode(await mkdtemp(join(tmpdir(), 'fake-node-')));
    await mkdir(join(node.proc, 'self'), { recursive: true });
    await writeFile(
      join(node.proc, 'self/mountinfo'),
      `10 1 8:1 / / rw - ext4 /dev/a rw\n11 1 0:34 / ${node.dir}/freezer rw - cgroup cgroup rw,freezer\n`,
    );
    await writeFile(join(node.proc, 'cpuinfo'), 'processor: 0\nflags\t\t: fpu sse2\n');
    await node.addStep(STEP);
    await node.add({ pid: 60, ppid: 1, name: 'slurmstepd', uid: 0, cgroup: '/slurm_n1/uid_1500/job_7' });
    await node.add({ pid: 70, ppid: 60, name: 'slurm_script' });
    await node.add({ pid: 71, ppid: 70, name: 'sleep' });
    return node;
  }

  get proc(): string {
    return join(this.dir, 'proc');
  }

  /** The folder of the job's batch step. */
  get step(): string {
    return join(this.dir, 'freezer', STEP);
  }

  async addStep(path: string): Promise<void> {
    await mkdir(join(this.dir, 'freezer', path), { recursive: true });
    await writeFile(join(this.dir, 'freezer', path, 'freezer.state'), 'THAWED\n');
    await writeFile(join(this.dir, 'freezer', path, 'cgroup.procs'), '');
  }

  async add(process: FakeProcess): Promise<void> {
    const { pid, ppid, name = 'job', uid = 1500, state = 'S', startTime = pid * 10, cgroup = STEP } = process;
    const folder = join(this.proc, String(pid));
    const isNew = await mkdir(folder, { recursive: true });
    const rest = Array.from({ length: 17 }, () => '0').join(' ');
    await writeFile(join(folder, 'stat'), `${pid} (${name}) ${state} ${ppid} ${rest} ${startTime} 0 0\n`);
    const ids = `${process.realUid ?? uid}\t${uid}\t${uid}\t${uid}`;
    const ns = process.nsPid === undefined ? `${pid}` : `${pid}\t${process.nsPid}`;
    const { seccomp = 0, inheritable = '0000000000000000', noNewPrivs = false } = process;
    const rights = `CapInh:\t${inheritable}\nNoNewPrivs:\t${noNewPrivs ? 1 : 0}\nSeccomp:\t${seccomp}\nSeccomp_filters:\t0\n`;
    await writeFile(
      join(folder, 'status'),
      `Name:\t${name}\nUid:\t${ids}\nGid:\t${ids}\nGroups:\t${uid} 27 \nNSpid:\t${ns}\n${rights}RssAnon:\t 100 kB\nRssShmem:\t 8 kB\nVmSwap:\t 0 kB\n`,
    );
    await writeFile(join(folder, 'cgroup'), `6:freezer:${cgroup}\n0::/system.slice/slurmd.service\n`);
    await writeFile(join(folder, 'cmdline'), (process.cmdline ?? [name]).map((word) => `${word}\0`).join(''));
    if (isNew === undefined) return;
    const exe = process.exe ?? (name === 'slurmstepd' ? '/usr/sbin/slurmstepd-wlm' : `/usr/bin/${name}`);
    await symlink(exe, join(folder, 'exe'));
    const procs = join(this.dir, 'freezer', cgroup, 'cgroup.procs');
    await writeFile(procs, `${pid}\n`, { flag: 'a' }).catch(() => undefined);
  }

  /** Where a process has its mounts. */
  async mounts(pid: number | 'self', namespace: number): Promise<void> {
    const folder = join(this.proc, String(pid), 'ns');
    await mkdir(folder, { recursive: true });
    await rm(join(folder, 'mnt'), { force: true });
    await symlink(`mnt:[${namespace}]`, join(folder, 'mnt'));
  }

  async remove(pid: number): Promise<void> {
    await rm(join(this.proc, String(pid)), { recursive: true });
    const procs = join(this.step, 'cgroup.procs');
    const left = (await readFile(procs, 'utf8'))
      .split('\n')
      .filter((line) => line !== '' && line !== String(pid));
    await writeFile(procs, left.map((line) => `${line}\n`).join(''));
  }

  async freezerState(): Promise<string> {
    return (await readFile(join(this.step, 'freezer.state'), 'utf8')).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
