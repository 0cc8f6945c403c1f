import { type BigIntStats, readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { accessOf, isKernels, PROC_SUPER_MAGIC } from '../job/kernel-file.ts';
import type { Held } from './held.ts';
import type { Watch } from './watched.ts';

/** A file that was there only as an image, and has no name any more. */
interface Nameless {
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
  readonly access: Held['access'];
}

/** Something that the kernel makes up. */
export interface KernelHeld extends Held {
  readonly isFolder: boolean;
  readonly isProc: boolean;
}

/** What processes hold, each thing once. */
export class Opened {
  readonly #held = new Map<string, Held>();
  readonly #kernels = new Map<string, KernelHeld>();
  readonly #nameless: Nameless[] = [];
  readonly #watches: Watch[] = [];
  /** Of file systems, by their devices. */
  readonly #magics = new Map<string, number>();
  readonly #ignored: ReadonlySet<string>;

  /** `ignored`: `dev:ino` of what CRIU itself has open in each process until it lets go of it. */
  constructor(ignored: Iterable<string>) {
    this.#ignored = new Set(ignored);
  }

  get held(): Held[] {
    return [...this.#held.values()];
  }

  /** Regular files and folders of procfs and its kin: not among `held`. */
  get kernels(): KernelHeld[] {
    return [...this.#kernels.values()];
  }

  get nameless(): readonly Nameless[] {
    return this.#nameless;
  }

  get watches(): readonly Watch[] {
    return this.#watches;
  }

  /** The watches of inotify(7), of which a descriptor's fdinfo tells. */
  takeWatches(fdinfo: string): void {
    for (const [, ino, sdev] of fdinfo.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+) sdev:([0-9a-f]+) /gm)) {
      // The kernel's own way to write a device: 20 bits are the minor number.
      const number = Number.parseInt(sdev!, 16);
      const device = { major: number >>> 20, minor: number & 0xfffff };
      this.#watches.push({ device, ino: String(BigInt(`0x${ino}`)) });
    }
  }

  /** `link`: a magic link of procfs. What closes meanwhile is passed over. */
  take(link: string, access: Held['access']): void {
    const path = quietly(() => readlinkSync(link, 'latin1'));
    // Pipes, sockets and what has no name at all have no path to be led astray on.
    if (!path?.startsWith('/')) return;
    const stats = quietly(() => statSync(link, { bigint: true }));
    if (!stats) return;
    const [dev, ino] = [String(stats.dev), String(stats.ino)];
    if (this.#ignored.has(`${dev}:${ino}`)) return;
    const magic = this.#magicOf(link, dev);
    if (isProcRoot(magic, stats)) return;
    // One that CRIU made anew keeps a name of CRIU's own until the tree runs.
    if (stats.nlink === 0n || path.endsWith(' (deleted)')) {
      this.#nameless.push({ path, uid: Number(stats.uid), mode: Number(stats.mode), access });
      return;
    }
    const held = { path, dev, ino, access };
    const key = JSON.stringify(held);
    const isFolder = stats.isDirectory();
    if (isKernels(magic) && (isFolder || stats.isFile()))
      this.#kernels.set(key, { ...held, isFolder, isProc: magic === PROC_SUPER_MAGIC });
    else this.#held.set(key, held);
  }

  #magicOf(link: string, dev: string): number {
    const magic = this.#magics.get(dev) ?? statfsSync(link).type;
    this.#magics.set(dev, magic);
    return magic;
  }
}

/**
 * The root of a procfs. CRIU mounts one of its own, for each process to find itself, and closes it last; it has no
 * path, and everybody may open one.
 */
function isProcRoot(magic: number, stats: BigIntStats): boolean {
  return magic === PROC_SUPER_MAGIC && stats.isDirectory() && stats.ino === 1n;
}

/** One step's worth of work, so that a table of 100,000 descriptors does not stop the engine for others. */
const AT_ONCE = 200;

/** Everything that a process has open, runs, stands in or has mapped. @throws where /proc cannot be read. */
export async function takeAll(proc: string, pid: number, opened: Opened): Promise<void> {
  const folder = join(proc, String(pid));
  let count = 0;
  const pause = async () => {
    if (++count % AT_ONCE === 0) await new Promise(setImmediate);
  };
  for (const fd of readdirSync(join(folder, 'fd'))) {
    const info = quietly(() => readFileSync(join(folder, 'fdinfo', fd), 'latin1'));
    if (info !== null) {
      opened.take(join(folder, 'fd', fd), accessOf(flagsOf(info)));
      opened.takeWatches(info);
    }
    await pause();
  }
  opened.take(join(folder, 'cwd'), 'path');
  opened.take(join(folder, 'root'), 'path');
  opened.take(join(folder, 'exe'), 'run');
  const exe = quietly(() => statSync(join(folder, 'exe'), { bigint: true }));
  for (const [range, access] of mappingsOf(folder)) {
    const link = join(folder, 'map_files', range);
    const there = access === 'read' ? quietly(() => statSync(link, { bigint: true })) : null;
    const isExe = exe !== null && there?.dev === exe.dev && there.ino === exe.ino;
    opened.take(link, isExe ? 'run' : access);
    await pause();
  }
}

function flagsOf(fdinfo: string): number {
  const flags = /^flags:\s*([0-7]+)$/m.exec(fdinfo)?.[1];
  if (flags === undefined) throw new Error('no flags in fdinfo');
  return Number.parseInt(flags, 8);
}

/**
 * The ranges that map a file, one for each file and access. A shared mapping that is read-only now may be made
 * writable by mprotect(2) where the file was opened so; `mw` in smaps tells (proc(5)).
 */
function mappingsOf(folder: string): Map<string, Held['access']> {
  const ranges = new Map<string, Held['access']>();
  const seen = new Set<string>();
  const maps = readFileSync(join(folder, 'maps'), 'latin1').split('\n');
  let writable: ReadonlySet<string> | null = null;
  for (const line of maps) {
    const [, start, end, perms, file] =
      /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ (\S+ [1-9]\d* .*)$/.exec(line) ?? [];
    if (!start || !end || !perms || !file) continue;
    const range = `${start}-${end}`;
    const isShared = perms[3] === 's';
    if (isShared) writable ??= mayBeWritten(folder);
    const access = isShared && writable?.has(range) ? 'both' : 'read';
    if (seen.size === seen.add(`${access} ${file}`).size) continue;
    ranges.set(trimmed(range), access);
  }
  return ranges;
}

/** The names in map_files have no leading zeros, which maps pads with. */
function trimmed(range: string): string {
  return range.replace(/(^|-)0+(?=[0-9a-f])/g, '$1');
}

function mayBeWritten(folder: string): Set<string> {
  const found = new Set<string>();
  let range = '';
  for (const line of readFileSync(join(folder, 'smaps'), 'latin1').split('\n')) {
    const head = /^([0-9a-f]+-[0-9a-f]+) /.exec(line)?.[1];
    if (head) range = head;
    else if (/^VmFlags:.* mw( |$)/.test(line)) found.add(range);
  }
  return found;
}

/** Null for what is gone. */
function quietly<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
