import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Device, deviceOf } from '../dump/file-systems.ts';
import { namedPaths } from '../images/named-paths.ts';
import type { Process } from '../job/process.ts';
import type { Verdict } from '../ports.ts';
import type { Held } from './held.ts';

/** What a restored inotify descriptor watches, as its fdinfo has it. */
export interface Watch {
  /** Of the file system. */
  readonly device: Device;
  /** Decimal. */
  readonly ino: string;
}

/** Where stat(2) names a part of the file system (a subvolume, a layer), and not the whole: btrfs, overlayfs, bcachefs. */
const IN_PARTS = new Set([0x9123683e, 0x794c7630, 0xca451a4e]);

/**
 * What is left to be looked at as the owner of what restored processes watch. CRIU goes to it as root, and compares
 * nothing. That no link is followed on the way is not enough: who may write in a folder together with others may put
 * a folder of theirs, private as it is, under another name. A watch has no path of its own, so each has to be what lies at one
 * of those that the images have; inotify_add_watch(2) asks for the right to read.
 */
export async function ofWatches(
  proc: string,
  init: Process,
  watches: readonly Watch[],
  images: string,
): Promise<{ readonly ok: true; readonly held: readonly Held[] } | (Verdict & { readonly ok: false })> {
  if (watches.length === 0) return { ok: true, held: [] };
  const paths = await namedPaths(images);
  if (typeof paths === 'string') return { ok: false, message: `its image ${paths}` };
  const root = join(proc, String(init.pid), 'root');
  const held = new Map<string, Held>();
  const wanted = new Map(watches.map((watch) => [JSON.stringify(watch), watch]));
  // A job may have as many as it likes, and the tree waits.
  const byIno = Map.groupBy(wanted, ([, watch]) => watch.ino);
  for (const path of paths.watched) {
    const name = Buffer.from(root + path, 'latin1');
    const there = await stat(name, { bigint: true }).catch(() => null);
    if (!there) continue;
    const [dev, ino] = [String(there.dev), String(there.ino)];
    if (!byIno.has(ino)) continue;
    const isPart = IN_PARTS.has((await statfs(name)).type);
    const { major, minor } = deviceOf(there.dev);
    for (const [key, { device }] of byIno.get(ino)!)
      if (isPart || (device.major === major && device.minor === minor))
        held.set(key, { path, dev, ino, access: 'read' });
  }
  if (held.size < wanted.size)
    return { ok: false, message: 'the job may not watch what is at none of the paths that it watched' };
  return { ok: true, held: [...held.values()] };
}
