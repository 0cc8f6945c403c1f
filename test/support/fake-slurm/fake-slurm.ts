import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Program = 'squeue' | 'sinfo' | 'scontrol' | 'scancel';
type Mode = 'well' | 'away' | 'hang' | 'garbage' | 'silent' | 'deaf';

/** Fields by their names in `-O`; text is Latin-1, one character a byte. */
export type JobFields = Partial<Record<(typeof defaults)[number][0], string | number>>;

const defaults = [
  ['ArrayJobID', null],
  ['ArrayTaskID', 'N/A'],
  ['HetJobID', 'N/A'],
  ['UserID', '1500'],
  ['State', 'RUNNING'],
  ['RestartCnt', '0'],
  ['Requeue', '1'],
  ['NumCPUs', '1'],
  ['StartTime', '1795461251'],
  ['SubmitTime', '1795461250'],
  ['NodeList', 'n1'],
  ['BatchHost', 'n1'],
  ['Partition', 'main'],
  ['QOS', '(null)'],
  ['UserName', 'alice'],
  ['Account', '(null)'],
  ['Name', 'count'],
] as const;

const config = `ClusterName             = fake
SlurmdSpoolDir          = %SPOOL%
SlurmdTimeout           = 300 sec
SLURM_VERSION           = 24.11.5
`;

/** A Slurm of files with real programs (`fake-slurm.pl`), one node `n1`, and a spool folder for stepd's sockets. */
export async function fakeSlurm(): Promise<FakeSlurm> {
  const dir = await mkdtemp(join(tmpdir(), 'fake-slurm-'));
  for (const folder of ['bin', 'spool', 'state', 'state/jobs', 'state/nodes']) await mkdir(join(dir, folder));
  const script = join(import.meta.dirname, 'fake-slurm.pl');
  for (const program of ['squeue', 'sinfo', 'scontrol', 'scancel'])
    await symlink(script, join(dir, 'bin', program));
  const fake = new FakeSlurm(dir);
  await writeFile(join(dir, 'state/conf'), config.replace('%SPOOL%', fake.spool));
  await fake.setNode('n1', 'idle');
  return fake;
}

export class FakeSlurm implements AsyncDisposable {
  readonly dir: string;
  readonly #stepds = new Map<string, Server>();

  constructor(dir: string) {
    this.dir = dir;
  }

  /** The folder of its programs. */
  get bin(): string {
    return join(this.dir, 'bin');
  }

  get spool(): string {
    return join(this.dir, 'spool');
  }

  /** The job as Slurm has it from now on; fields that are left out are those of a running job on n1. */
  async setJob(jobId: number, fields: JobFields = {}): Promise<void> {
    const own: JobFields = { ...Object.fromEntries(defaults), ArrayJobID: jobId, ...fields };
    await this.#save(`jobs/${jobId}`, { JobID: jobId, ...own });
  }

  async forgetJob(jobId: number): Promise<void> {
    await rm(join(this.dir, 'state/jobs', String(jobId)), { force: true });
  }

  /** One field of a job as Slurm has it now; undefined when there is no such job. */
  async job(jobId: number, field: keyof JobFields): Promise<string | undefined> {
    const text = await readFile(join(this.dir, 'state/jobs', String(jobId)), 'latin1').catch(() => '');
    return new RegExp(`^${field}=(.*)$`, 'm').exec(text)?.[1];
  }

  /** `state` as StateComplete has it, for example `mixed+drain`. */
  async setNode(node: string, state: string, reason = 'none'): Promise<void> {
    await this.#save(`nodes/${node}`, { StateComplete: state, Reason: reason });
  }

  /** How all of Slurm, or one program, behaves from the next call on. */
  async setMode(mode: Mode, program?: Program): Promise<void> {
    const path = join(this.dir, 'state', program ? `mode.${program}` : 'mode');
    if (mode === 'well') await rm(path, { force: true });
    else await replace(path, mode);
  }

  /** Calls so far: the program, then its arguments. */
  async calls(program?: Program): Promise<string[][]> {
    const text = await readFile(join(this.dir, 'state/calls'), 'latin1').catch(() => '');
    const lines = text.split('\n').slice(0, -1);
    const calls = lines.map((line) => line.split('\t').map((word) => decodeURIComponent(word)));
    return program ? calls.filter((call) => call[0] === program) : calls;
  }

  /** A stepd that listens for this job, as slurmd's spool folder shows it. */
  async startStep(jobId: number, step = 4294967291, node = 'n1'): Promise<void> {
    const name = `${node}_${jobId}.${step}`;
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(join(this.spool, name), resolve));
    this.#stepds.set(name, server);
  }

  async endStep(jobId: number, step = 4294967291, node = 'n1'): Promise<void> {
    const name = `${node}_${jobId}.${step}`;
    const server = this.#stepds.get(name);
    this.#stepds.delete(name);
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#stepds.values()) server.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #save(path: string, fields: Readonly<Record<string, string | number | undefined>>): Promise<void> {
    const lines = Object.entries(fields).map(([key, value]) => `${key}=${encode(String(value))}\n`);
    await replace(join(this.dir, 'state', path), lines.join(''));
  }
}

/** At once: a program that reads meanwhile sees the old or the new. */
async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path.replace(/[^/]+$/, '')}.${crypto.randomUUID()}`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}

function encode(text: string): string {
  return text.replace(/[^A-Za-z0-9_.,:+()/-]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
