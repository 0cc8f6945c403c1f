import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from './entries.ts';
import { type Field, fieldOf, nested, readFields } from './protobuf.ts';

/** What the kernel says that a job's processes may have. Capabilities as bits. */
export interface Rights {
  readonly uid: number;
  readonly gids: ReadonlySet<number>;
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly noNewPrivs: boolean;
}

/** criu/include/magic.h; images/core.proto and creds.proto. */
const CORE = /^core-\d{1,10}\.img$/;
const CORE_MAGIC = 0x55053847;
const THREAD_CORE = 5;
const CREDS = 10;
const UIDS = { 1: 'uid', 3: 'euid', 5: 'suid', 7: 'fsuid' } as const;
const GIDS = { 2: 'gid', 4: 'egid', 6: 'sgid', 8: 'fsgid' } as const;
const INHERITABLE = 9;
const PERMITTED = { 10: 'permitted', 11: 'effective', 19: 'ambient' } as const;
const SECUREBITS = 13;
const GROUPS = 14;
const NO_NEW_PRIVS = 18;

/**
 * Whether the threads in CRIU's images have no more rights than these; null, or which one has more. CRIU does not take
 * credentials from the kernel: the code that it puts into a process asks for them there and leaves them in the process's
 * own memory (parasite_dump_creds), where another process of the same user may write. At a restore, CRIU gives each
 * thread what the images say, as root.
 */
export async function whyMoreRights(images: string, rights: Rights): Promise<string | null> {
  const names = (await readdir(images)).filter((name) => CORE.test(name));
  if (names.length === 0) return 'CRIU left no image of a process';
  for (const name of names) {
    const why = whyMore(name, await readFile(join(images, name)), rights);
    if (why !== null) return why;
  }
  return null;
}

function whyMore(name: string, image: Buffer, rights: Rights): string | null {
  const entries = entriesOf(image, { name, magic: CORE_MAGIC });
  if (typeof entries === 'string') return `its image ${entries}`;
  const threads = entries.map((entry) => nested(readFields(entry), THREAD_CORE, null));
  const creds = threads.map((thread) => nested(thread, CREDS, null));
  for (const fields of creds) {
    if (fields === null) return `its image ${name} has no credentials`;
    const more = moreIn(fields, rights);
    if (more !== null) return `a thread of the job (${name}) has ${more}, which is not its owner's`;
  }
  return creds.length > 0 ? null : `its image ${name} is empty`;
}

function moreIn(fields: readonly Field[], rights: Rights): string | null {
  for (const [number, name] of Object.entries(UIDS)) {
    const uid = fieldOf(fields, Number(number));
    if (uid !== rights.uid) return `the ${name} ${shown(uid)}`;
  }
  for (const [number, name] of Object.entries(GIDS)) {
    const gid = fieldOf(fields, Number(number));
    if (typeof gid !== 'number' || !rights.gids.has(gid)) return `the ${name} ${shown(gid)}`;
  }
  for (const { number, value } of fields)
    if (number === GROUPS && (typeof value !== 'number' || !rights.gids.has(value)))
      return `the group ${shown(value)}`;
  for (const [number, name] of Object.entries(PERMITTED))
    if ((bitsOf(fields, Number(number)) & ~rights.permitted) !== 0n) return `${name} capabilities`;
  if ((bitsOf(fields, INHERITABLE) & ~rights.inheritable) !== 0n) return 'inheritable capabilities';
  if (fieldOf(fields, SECUREBITS) !== 0) return 'secure bits';
  if (rights.noNewPrivs && fieldOf(fields, NO_NEW_PRIVS) !== 1) return 'a way to new privileges';
  return null;
}

/** 32 of them a number, the lowest first. All of them where it is none. */
function bitsOf(fields: readonly Field[], number: number): bigint {
  const words = fields.filter((field) => field.number === number).map(({ value }) => value);
  return words.reduce(
    (bits: bigint, word, at) => bits | ((typeof word === 'number' ? BigInt(word) : ~0n) << BigInt(32 * at)),
    0n,
  );
}

const shown = (value: number | Buffer | undefined): string =>
  typeof value === 'number' ? String(value) : 'that is none';
