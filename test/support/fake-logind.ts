import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `busctl get-property`, and `busctl monitor` behind `systemd-inhibit`, as far as ckptd uses them. */
const BUSCTL = (dir: string) => `#!/bin/sh
case $1 in
get-property)
  [ ! -f ${dir}/silent ] || { echo 'Failed to get property: Connection timed out' >&2; exit 1; }
  [ ! -f ${dir}/monitoring ] || [ -f ${dir}/deaf ] || echo '{"type":"method_call","member":"Get"}' >${dir}/bus
  cat ${dir}/state ;;
monitor)
  touch ${dir}/monitoring
  exec cat ${dir}/bus ;;
esac
`;
const INHIBIT = (dir: string) => `#!/bin/sh
[ ! -f ${dir}/refusing ] || { echo 'Failed to inhibit: The operation is already running' >&2; exit 1; }
while [ "\${1#--}" != "$1" ]; do shift; done
rm -f ${dir}/monitoring
echo $$ >>${dir}/inhibitors
exec "$@"
`;

/** systemd-logind and the bus of a host, as programs in a folder that a test pulls the strings of. */
export class FakeLogind implements AsyncDisposable {
  /** What `LogindOptions.bin` is to be. */
  readonly bin: string;
  readonly bootIdFile: string;
  readonly #bus: FileHandle;

  private constructor(bin: string, bus: FileHandle) {
    this.bin = bin;
    this.bootIdFile = join(bin, 'boot-id');
    this.#bus = bus;
  }

  static async create(): Promise<FakeLogind> {
    const dir = await mkdtemp(join(tmpdir(), 'ckptd-logind-'));
    execFileSync('mkfifo', [join(dir, 'bus')]);
    // For both ways, so that neither side ever waits for the other.
    const fake = new FakeLogind(dir, await open(join(dir, 'bus'), 'r+'));
    await writeFile(join(dir, 'busctl'), BUSCTL(dir), { mode: 0o755 });
    await writeFile(join(dir, 'systemd-inhibit'), INHIBIT(dir), { mode: 0o755 });
    await writeFile(fake.bootIdFile, '6b1c6f0e-0000-4000-8000-000000000001\n');
    await fake.state(false);
    return fake;
  }

  /** The properties that logind answers with; `delay` is InhibitDelayMaxUSec. */
  async state(preparing: boolean, delay = '5000000'): Promise<void> {
    await writeFile(join(this.bin, 'state'), `b ${preparing}\nt ${delay}\n`);
  }

  /** Announces a shutdown, or takes it back, by state and signal. */
  async prepare(preparing: boolean, delay?: string): Promise<void> {
    await this.state(preparing, delay);
    await this.signal(preparing);
  }

  signal(preparing: unknown): Promise<void> {
    return this.say(
      JSON.stringify({
        type: 'signal',
        member: 'PrepareForShutdown',
        payload: { type: 'b', data: [preparing] },
      }),
    );
  }

  /** One line of the monitor. */
  async say(line: string): Promise<void> {
    await this.#bus.write(`${line}\n`);
  }

  /** `silent`: no answers; `deaf`: the monitor hears nothing; `refusing`: no inhibitor is granted. */
  async set(what: 'silent' | 'deaf' | 'refusing', on = true): Promise<void> {
    const flag = join(this.bin, what);
    if (on) await writeFile(flag, '');
    else await rm(flag, { force: true });
  }

  /** Pids of the children that held an inhibitor, oldest first. */
  async inhibitors(): Promise<number[]> {
    const text = await readFile(join(this.bin, 'inhibitors'), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean).map(Number);
  }

  /** Whether the newest of them still does. */
  async held(): Promise<boolean> {
    const pid = (await this.inhibitors()).at(-1);
    return pid !== undefined && existsSync(`/proc/${pid}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus.close();
    await rm(this.bin, { recursive: true, force: true });
  }
}
