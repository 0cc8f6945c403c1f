import { basename, dirname, join } from 'node:path';
import { type Bind, Container } from './container.ts';
import { exec } from './exec.ts';
import { type Argv, type RunOptions, type RunResult, runInside } from './inside.ts';
import { LabError } from './lab-error.ts';
import { createNetns, removeNetns, setLink } from './network.ts';
import { machineName, nodeAddress, type Slot } from './slot.ts';
import { until } from './until.ts';

/** A machine of the lab: the controller `ctl`, or a compute node. It may be off; its disk and address stay. */
export class LabNode {
  readonly name: string;
  /** IPv4 address on the cluster's bridge. */
  readonly address: string;
  /** Its root file system, on this machine. Without what it mounts itself: /run, /tmp, /dev, /shared. */
  readonly rootPath: string;
  /** What its systemd said since it booted, on this machine. */
  readonly consoleLog: string;
  readonly #slot: Slot;
  readonly #netns: string;
  readonly #binds: Bind[];
  /** Slurm's daemon on this node. */
  readonly #unit: string;
  #container: Container | undefined;
  #connected = true;

  constructor(slot: Slot, name: string, binds: Bind[]) {
    const dir = join(slot.dir, name);
    this.name = name;
    this.address = nodeAddress(slot, name);
    this.rootPath = join(dir, 'root');
    this.consoleLog = join(dir, 'console.log');
    this.#slot = slot;
    this.#netns = join(dir, 'netns');
    this.#binds = binds;
    this.#unit = name === 'ctl' ? 'slurmctld' : 'slurmd';
  }

  /** Whether it is on. It may power itself off; one that reboots itself stays off until `start`. */
  get running(): boolean {
    return this.#container !== undefined && !this.#container.ended;
  }

  /** Boots, with the disk as it is. Resolves when init runs; see `ready`. */
  async boot(): Promise<void> {
    if (this.running) throw new LabError(`${this.name} runs already`);
    if (this.#container) await this.#off();
    await createNetns(this.#slot, this.name, this.#netns, this.#connected);
    try {
      this.#container = await Container.boot({
        machine: machineName(this.#slot, this.name),
        hostname: this.name,
        root: this.rootPath,
        netns: this.#netns,
        binds: this.#binds,
        consoleLog: this.consoleLog,
      });
    } catch (error) {
      await removeNetns(this.#slot, this.name, this.#netns);
      throw error;
    }
  }

  /** Boots, and waits until Slurm's daemon is up on it. Slurm may need a moment more to use it: `lab.waitForNode`. */
  async start(options: { timeoutMs?: number } = {}): Promise<void> {
    await this.boot();
    await this.ready(options);
  }

  /** Waits until Slurm's daemon on it says that it is ready. A LabError has the end of the unit's journal. */
  async ready(options: { timeoutMs?: number } = {}): Promise<void> {
    const what = `${this.#unit} on ${this.name}`;
    const details = async () => (await this.journal(this.#unit)).split('\n').slice(-20).join('\n');
    const settled = async () => {
      const state = (await this.run(['systemctl', 'is-active', this.#unit], { reject: false })).stdout.trim();
      return ['active', 'failed'].includes(state) && state;
    };
    const state = await until(settled, { what, timeoutMs: options.timeoutMs ?? 20_000, details });
    if (state === 'failed') throw new LabError(`${what} failed:\n${await details()}`);
  }

  /** As when its power fails: it falls silent at once, in the middle of whatever it did. Its disk stays. */
  async crash(): Promise<void> {
    this.#booted();
    // First the cable: else the kernel would say goodbye to its peers when the processes die.
    await setLink(this.#slot, this.name, 'down');
    await this.#off();
  }

  /** Shuts it down in good order, as `poweroff` does. */
  async stop(options: { timeoutMs?: number } = {}): Promise<void> {
    await this.#booted().powerOff(options.timeoutMs ?? 60_000);
    await this.#off();
  }

  async #off(): Promise<void> {
    await this.#container?.kill();
    this.#container = undefined;
    await removeNetns(this.#slot, this.name, this.#netns);
  }

  /** Pulls its network cable: it runs on, and nobody can reach it. */
  async cutOff(): Promise<void> {
    this.#connected = false;
    if (this.running) await setLink(this.#slot, this.name, 'down');
  }

  /** Plugs its network cable in again. */
  async reconnect(): Promise<void> {
    this.#connected = true;
    if (this.running) await setLink(this.#slot, this.name, 'up');
  }

  /** Runs a command (or a string, by sh) in the node and waits for its end; see RunOptions. */
  async run(command: Argv, options: RunOptions = {}): Promise<RunResult> {
    const initPid = await this.#booted().initPid();
    return runInside({ name: this.name, initPid }, command, options);
  }

  /** Writes a file in the node, with its parent folders. `mode` is octal, default 0o644. */
  async writeFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
    await this.run(['sh', '-c', script, 'sh', path, mode.toString(8)], { input: content });
  }

  /** Text of a file in the node; rejects if there is none. */
  async readFile(path: string): Promise<string> {
    return (await this.run(['cat', path])).stdout;
  }

  /** Copies a file or folder of this machine to `path` in the node, with modes, owned by root. */
  async copyIn(hostPath: string, path: string): Promise<void> {
    const pack = ['--create', '--owner=0', '--group=0', '--numeric-owner', '--directory', dirname(hostPath)];
    const packed = await exec('tar', [...pack, basename(hostPath)], { encoding: 'buffer' });
    const script =
      'd=$(mktemp -d -p "$(dirname "$1")") && tar -C "$d" -x && mv -T "$d/$2" "$1" && rmdir "$d"';
    const unpack = `mkdir -p "$(dirname "$1")" && ${script}`;
    await this.run(['sh', '-c', unpack, 'sh', path, basename(hostPath)], { input: packed.stdout });
  }

  /** The journal of a unit over all boots, messages only, or of everything. */
  async journal(unit?: string): Promise<string> {
    const which = unit ? [`--unit=${unit}`] : [];
    return (await this.run(['journalctl', '--no-pager', '--quiet', '--output=cat', ...which])).stdout;
  }

  #booted(): Container {
    if (!this.#container || this.#container.ended) throw new LabError(`${this.name} is off`);
    return this.#container;
  }
}
