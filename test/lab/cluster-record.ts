import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from './lab-error.ts';
import { type Owner, self } from './owner.ts';
import { clustersDir, type Slot, slotCount, slotOf } from './slot.ts';

const recordName = 'owner.json';

/** Takes a free slot for this process. The caller holds the lock `clusters`. */
export async function claimSlot(): Promise<Slot> {
  await mkdir(clustersDir, { recursive: true, mode: 0o755 });
  const taken = new Set((await recordedSlots()).map((slot) => slot.number));
  for (let number = 0; number < slotCount; number++) {
    if (taken.has(number)) continue;
    const slot = slotOf(number);
    // A folder gets its name only once it says whose it is.
    const making = join(clustersDir, `making-${process.pid}`);
    await rm(making, { recursive: true, force: true });
    await mkdir(making);
    await writeFile(join(making, recordName), JSON.stringify(self()));
    await rename(making, slot.dir);
    return slot;
  }
  throw new LabError(`${slotCount} clusters run on this machine already`);
}

/** Frees a slot, at once; then removes its folder. Nothing may be mounted there. */
export async function releaseSlot(slot: Slot): Promise<void> {
  const removing = join(clustersDir, `removing-${crypto.randomUUID()}`);
  await rename(slot.dir, removing);
  await rm(removing, { recursive: true, force: true });
}

/** Removes folders that somebody died over while making or removing them. The caller holds the lock `clusters`. */
export async function removeStrays(): Promise<void> {
  const strays = (await readdir(clustersDir).catch(() => [])).filter((name) =>
    /^(making|removing)-/.test(name),
  );
  for (const name of strays) await rm(join(clustersDir, name), { recursive: true, force: true });
}

/** Every slot that has a folder. */
export async function recordedSlots(): Promise<Slot[]> {
  const names = await readdir(clustersDir).catch(() => []);
  const numbers = names.flatMap((name) => /^cklab(\d+)$/.exec(name)?.[1] ?? []);
  return numbers.map((number) => slotOf(Number(number)));
}

/** Who made the cluster in a slot; undefined if nobody says so. */
export async function ownerOf(slot: Slot): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(join(slot.dir, recordName), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}
