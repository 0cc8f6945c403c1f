import { access, lstat, realpath } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { inFlight } from '../images/in-flight.ts';
import { type NamedPaths, type NamedSockets, namedPaths } from '../images/named-paths.ts';

export type Guards =
  /** Folders in which no symbolic link may be followed while CRIU works. */
  | { readonly ok: true; readonly folders: readonly string[] }
  | { readonly ok: false; readonly message: string };

/** As many as ckptd-criu takes. */
const MOST = 64;
const WRITABLE_BY_OTHERS = 0o022;

/** The guards that the images of a checkpoint call for, and the names of its sockets. */
export async function keepFromLinks(
  images: string,
  kernel = release(),
): Promise<
  (Guards & { readonly ok: false }) | (Guards & { readonly ok: true; readonly names: NamedSockets })
> {
  const paths = await namedPaths(images);
  if (typeof paths === 'string') return { ok: false, message: `its image ${paths}` };
  const why = paths.unfit ?? (await whyInFlight(images, kernel));
  if (why !== null) return { ok: false, message: why };
  const guards = await guardsFor(images, paths, kernel);
  return guards.ok ? { ...guards, names: { sockets: paths.sockets, peers: paths.peers } } : guards;
}

/**
 * A descriptor that is on its way over a socket is in no process when the restored tree is looked at: if others than
 * root have a hand in its file's path, nobody could tell what CRIU has opened there. Null where there is none.
 */
export async function whyInFlight(images: string, kernel = release()): Promise<string | null> {
  const found = await inFlight(images);
  if (typeof found === 'string') return `its image ${found}`;
  // What is made anew is made by its name, and a guard is all that keeps CRIU on the way.
  const names = isSince(kernel, 5, 14) ? found.files : [...found.files, ...found.deleted];
  const guards = await guardsOf(names.filter((path) => !path.startsWith('/proc/')));
  if (guards.ok && guards.folders.length === 0) return null;
  return `a file descriptor was on its way from one process to another, of a file that others could replace (${names.slice(0, 3).map(shown).join(', ')}): it is saved once that has arrived`;
}

async function guardsFor(images: string, paths: NamedPaths, kernel: string): Promise<Guards> {
  const sockets = [...paths.sockets, ...paths.peers];
  // Made by the kernel: nobody lays links there.
  const named = [...paths.files, ...sockets].filter((path) => !path.startsWith('/proc/'));
  if (isSince(kernel, 5, 14)) return guardsOf(named);
  // What is only opened is looked at before the job runs. What CRIU makes and removes by name is done by then.
  const remade = (await hasDeletedFiles(images)) ? named : sockets;
  const guards = await guardsOf(remade);
  if (!guards.ok || guards.folders.length === 0) return guards;
  const message = `it holds sockets with names, or deleted files, in ${guards.folders[0]}, which takes Linux 5.14, and this is ${kernel}`;
  return { ok: false, message };
}

function isSince(kernel: string, major: number, minor: number): boolean {
  const [, a = 0, b = 0] = (/^(\d+)\.(\d+)/.exec(kernel) ?? []).map(Number);
  return a > major || (a === major && b >= minor);
}

/** `remap-fpath.img` is there for nothing else. */
async function hasDeletedFiles(images: string): Promise<boolean> {
  return access(join(images, 'remap-fpath.img')).then(
    () => true,
    () => false,
  );
}

/**
 * Where somebody could lead CRIU astray on its way to these paths: it goes there as root, and whoever owns a folder on
 * the way may have put a link in the place of another since the dump, or does so while it works. Of each path it is
 * the first folder that others than root can change: itself it stays where it is.
 */
export async function guardsOf(paths: readonly string[]): Promise<Guards> {
  const known = new Map<string, Promise<Hands>>();
  const look = (folder: string): Promise<Hands> => {
    const hands = known.get(folder) ?? handsOf(folder);
    known.set(folder, hands);
    return hands;
  };
  const folders = new Set<string>();
  for (const path of paths) {
    const guard = await guardOf(path, look);
    if (guard === '/' || guard?.includes('\n'))
      return { ok: false, message: `on the way to ${shown(path)} links cannot be kept from being followed` };
    if (guard !== null) folders.add(guard);
  }
  if (folders.size > MOST) return { ok: false, message: `its files are in more than ${MOST} places` };
  return { ok: true, folders: [...folders].map(utf8).sort() };
}

/** Who can change what is in a folder. `missing`: it is none, or not there. */
type Hands = 'root' | 'others' | 'missing' | { readonly leadsTo: string };

async function handsOf(folder: string): Promise<Hands> {
  const name = Buffer.from(folder, 'latin1');
  const there = await lstat(name).catch(() => null);
  if (there?.isSymbolicLink()) {
    const to = await realpath(name, 'buffer').catch(() => null);
    return to === null ? 'missing' : { leadsTo: to.toString('latin1') };
  }
  if (!there?.isDirectory()) return 'missing';
  return there.uid === 0 && (there.mode & WRITABLE_BY_OTHERS) === 0 ? 'root' : 'others';
}

/** Null where nobody but root has a hand in it. */
async function guardOf(path: string, look: (folder: string) => Promise<Hands>): Promise<string | null> {
  const parts = path.split('/').slice(1);
  let folder = '/';
  while (parts.length > 0) {
    const hands = await look(folder);
    if (hands === 'others') return folder;
    // Only root could make one there.
    if (hands === 'missing') return null;
    // One of root's own links, among root's own folders.
    if (typeof hands === 'object')
      return guardOf([hands.leadsTo, ...parts].join('/').replace(/^\/\//, '/'), look);
    folder = `${folder === '/' ? '' : folder}/${parts.shift()}`;
  }
  return null;
}

const utf8 = (path: string): string => Buffer.from(path, 'latin1').toString('utf8');
const shown = (path: string): string => JSON.stringify(utf8(path));
