import { basename, join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import { type Manifest, manifestSchema } from '../manifest.ts';
import type { Found, Pending } from '../ports.ts';
import { asStoreError, codeOf, StoreError } from '../store-error.ts';
import { settleTree, syncFolder } from './fs/durable.ts';
import { lstat, mkdir, rename, unlink, writeFile } from './fs/files.ts';
import { ensureFolder } from './fs/guard.ts';
import { MANIFEST, type Places, WRITER } from './fs/places.ts';
import { fitting } from './fs/record.ts';

export interface PendingPorts {
  readonly places: Places;
  readonly clusterId: string;
  readonly node: string;
  /** Takes a folder out of the store; rejects with what the file system says. */
  remove(path: string): Promise<void>;
  /** Rejects with StoreError where the job runs anew elsewhere. */
  checkRun(manifest: Manifest): Promise<void>;
  /** Called once a checkpoint is there for everybody to see. */
  published(found: Found): Promise<void>;
  /** Called once the folder is a pending one no more. */
  closed(): void;
  warn(message: string): void;
}

const NEW = { flag: 'wx', mode: 0o600 };

/** Makes the folder of a checkpoint that is being written. @throws StoreError */
export async function beginPending(ports: PendingPorts, jobId: JobId, actionId: string): Promise<Pending> {
  const { places, clusterId, node } = ports;
  const dir = places.halfWritten(jobId, actionId);
  const target = places.checkpoint(jobId, actionId);
  let open = true;

  async function discard(): Promise<void> {
    if (!open) return;
    open = false;
    try {
      await ports.remove(dir);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') ports.warn(asStoreError(error, 'cannot remove', dir).message);
    } finally {
      ports.closed();
    }
  }

  async function publish(given: Manifest): Promise<Found> {
    if (!open) throw new StoreError(`checkpoint ${actionId} of job ${jobId} is not being written any more`);
    let manifest: Manifest;
    try {
      manifest = checked(given, { clusterId, jobId, actionId });
      await writeFile(join(dir, MANIFEST), JSON.stringify(manifest), NEW);
      checkImages(dir, manifest, await settleTree(dir));
      // Until here, whoever tidies up must see whose it is: to disk may take hours. Where a crash brings the name back
      // beside a manifest, it harms nobody.
      await unlink(join(dir, WRITER));
      await refuseTaken(target);
      await ports.checkRun(manifest);
      await rename(dir, target);
    } catch (error) {
      await discard();
      throw asStoreError(error, 'cannot publish', target);
    }
    open = false;
    ports.closed();
    try {
      await syncFolder(places.job(jobId));
    } catch (error) {
      await ports.remove(target).catch(() => undefined);
      throw asStoreError(error, 'cannot publish', target);
    }
    const found = { manifest, dir: target, deprecated: null };
    await ports.published(found);
    return found;
  }

  try {
    await ensureFolder(places.job(jobId));
    await mkdir(dir, { mode: 0o700 });
    // A crash may lose it: then it counts as one that does not say whose it is.
    await writeFile(join(dir, WRITER), `${node}\n`, NEW);
  } catch (error) {
    // Of another who writes under the same id nothing is taken away.
    if (codeOf(error) === 'EEXIST') ports.closed();
    else await discard();
    throw asStoreError(error, 'cannot begin', dir);
  }
  return { dir, publish, discard };
}

/** What is written once is read for as long as the job lives: nothing that the reader would refuse. */
function checked(
  given: Manifest,
  ids: { readonly clusterId: string; readonly jobId: JobId; readonly actionId: string },
): Manifest {
  const shaped = fitting(manifestSchema, given);
  if ('problem' in shaped)
    throw new StoreError(`the manifest of ${ids.actionId} is no manifest: ${shaped.problem}`);
  for (const [key, value] of Object.entries(ids)) {
    const said = shaped.value[key as keyof typeof ids];
    if (said !== value)
      throw new StoreError(`the manifest of ${ids.actionId} has ${key} ${said}, not ${value}`);
  }
  return shaped.value;
}

/** A manifest must not promise what is not there. `bytes`: of what is, by its path. */
function checkImages(
  dir: string,
  { images, archive, compress }: Manifest,
  bytes: ReadonlyMap<string, number>,
): void {
  const sizeOf = (path: string): number => {
    const size = bytes.get(path);
    if (size === undefined) throw new StoreError(`${path} is missing, and the manifest names it`);
    return size;
  };
  const suffix = compress === 'zstd' ? '.zst' : '';
  for (const { name, storedBytes } of images) {
    const path = join(dir, 'images', `${name}${suffix}`);
    const size = sizeOf(path);
    if (size !== storedBytes)
      throw new StoreError(`${path} has ${size} bytes, and the manifest says ${storedBytes}`);
  }
  if (archive !== null) sizeOf(join(dir, archive.name));
}

/** rename(2) would replace an empty folder. What gets in between this look and the rename is never empty. */
async function refuseTaken(target: string): Promise<void> {
  const there = await lstat(target).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (there !== null) throw new StoreError(`${basename(target)} is published already: ${target} is there`);
}
