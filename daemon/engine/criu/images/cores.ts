import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from './entries.ts';
import { type Field, fieldOf, int64Of, nested, readFields } from './protobuf.ts';

/** Who the threads of a job are, all of them the same. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** All supplementary groups, in the kernel's order. */
  readonly groups: readonly number[];
  /** Capabilities as bits: what any thread has as inheritable, and what none may ever have where it is missing here. */
  readonly inheritable: bigint;
  readonly boundingSet: bigint;
  /** Of all threads. */
  readonly noNewPrivs: boolean;
}

export interface Limits {
  /** By number (setrlimit(2)): soft and hard; -1 is unlimited. */
  readonly rlimits: readonly (readonly [soft: bigint, hard: bigint])[];
  readonly oomScoreAdj: number;
  /** Of its first thread (setpriority(2), sched_setscheduler(2)); null where the image does not say. */
  readonly priority: { readonly nice: number; readonly policy: number } | null;
}

export interface Cores {
  readonly credentials: Credentials;
  /** By pid in the job's own pid namespace; of processes alone, and not of those that are dead. */
  readonly limits: ReadonlyMap<number, Limits>;
  /** Those that get a signal when their parent ends (PR_SET_PDEATHSIG), the same way. */
  readonly endWithParent: ReadonlySet<number>;
}

/** criu/include/magic.h; images/core.proto, creds.proto and rlimit.proto. */
const CORE = /^core-(\d{1,10})\.img$/;
const CORE_MAGIC = 0x55053847;
const TASK = 3;
const TASK_STATE = 1;
const DEAD: readonly unknown[] = [2, 6];
const RLIMITS = 8;
const RLIMIT = 1;
const OOM_SCORE_ADJ = 14;
const THREAD = 5;
const CREDS = 10;
const NICE = 3;
const POLICY = 4;
const DEATH_SIGNAL = 8;
const UIDS = { 1: 'uid', 3: 'euid', 5: 'suid', 7: 'fsuid' } as const;
const GIDS = { 2: 'gid', 4: 'egid', 6: 'sgid', 8: 'fsgid' } as const;
const INHERITABLE = 9;
const CAPABILITIES = { 10: 'permitted', 11: 'effective', 19: 'ambient' } as const;
const BOUNDING = 12;
const SECUREBITS = 13;
const GROUPS = 14;
const NO_NEW_PRIVS = 18;

/**
 * What CRIU's images say of a job's processes. A string says why the job's owner cannot restore it: CRIU has the owner's
 * rights, and the kernel gives it nothing more, so that each thread must be what an ordinary program of theirs is. Two
 * things the kernel would let pass, since CRIU itself has a capability: they are looked at here and nowhere else.
 * CRIU does not take credentials from the kernel at a dump: its code in the job asks for them there and leaves them in
 * the job's own memory (parasite_dump_creds).
 */
export async function readCores(images: string): Promise<Cores | string> {
  const names = (await readdir(images)).filter((name) => CORE.test(name));
  let credentials: Credentials | null = null;
  const limits = new Map<number, Limits>();
  const endWithParent = new Set<number>();
  for (const name of names) {
    const image = entriesOf(await readFile(join(images, name)), { name, magic: CORE_MAGIC });
    if (typeof image === 'string') return `its image ${image}`;
    if (image.length === 0) return `its image ${name} is empty`;
    for (const entry of image) {
      const fields = readFields(entry);
      const task = nested(fields, TASK, []);
      if (task === null) return `its image ${name} is cut`;
      // Of a process that nobody has waited for yet there is nothing else.
      if (DEAD.includes(fieldOf(task, TASK_STATE))) continue;
      const thread = nested(fields, THREAD, null);
      const creds = nested(thread, CREDS, null);
      if (creds === null) return `its image ${name} has no credentials`;
      const found = credentialsIn(creds);
      const why = typeof found === 'string' ? found : credentials && differenceOf(found, credentials);
      if (why) return `a thread of the job (${name}) has ${why}`;
      credentials = joined(credentials, found as Credentials);
      const pid = Number(CORE.exec(name)![1]);
      const mine = limitsIn(task, thread);
      if (mine) limits.set(pid, mine);
      if ((fieldOf(thread, DEATH_SIGNAL) ?? 0) !== 0) endWithParent.add(pid);
    }
  }
  return credentials ? { credentials, limits, endWithParent } : 'CRIU left no image of a process';
}

/** A group of the threads that their owner has not on this node: CRIU could not give it back. Undefined: none. */
export function groupBeyond(
  { groups }: Pick<Credentials, 'groups'>,
  owner: { readonly gid: number; readonly groups: readonly number[] },
): number | undefined {
  const has = new Set([owner.gid, ...owner.groups]);
  return groups.find((group) => !has.has(group));
}

/** A string: what no ordinary program of a user's has. */
function credentialsIn(fields: readonly Field[]): Credentials | string {
  const [uid, gid] = [fieldOf(fields, 1), fieldOf(fields, 2)];
  if (!isId(uid) || !isId(gid)) return 'no ids';
  for (const [number, name] of Object.entries(UIDS))
    if (fieldOf(fields, Number(number)) !== uid) return `another ${name} than its uid ${uid}`;
  for (const [number, name] of Object.entries(GIDS))
    if (fieldOf(fields, Number(number)) !== gid) return `another ${name} than its gid ${gid}`;
  for (const [number, name] of Object.entries(CAPABILITIES))
    if (uid !== 0 && bitsOf(fields, Number(number)) !== 0n)
      return `${name} capabilities, which no program has that its owner just runs`;
  if (fieldOf(fields, SECUREBITS) !== 0) return 'secure bits';
  const groups = fields.filter(({ number }) => number === GROUPS).map(({ value }) => value);
  if (!groups.every(isId)) return 'groups that are none';
  const noNewPrivs = fieldOf(fields, NO_NEW_PRIVS) === 1;
  const [inheritable, boundingSet] = [bitsOf(fields, INHERITABLE), bitsOf(fields, BOUNDING)];
  return { uid, gid, groups, inheritable, boundingSet, noNewPrivs };
}

function joined(one: Credentials | null, other: Credentials): Credentials {
  if (one === null) return other;
  return {
    ...one,
    inheritable: one.inheritable | other.inheritable,
    boundingSet: one.boundingSet & other.boundingSet,
    noNewPrivs: one.noNewPrivs && other.noNewPrivs,
  };
}

/** What a restore could not give to one and the other. */
function differenceOf(one: Credentials, other: Credentials): string | null {
  if (one.uid !== other.uid) return `the uid ${one.uid}, and others have ${other.uid}`;
  if (one.gid !== other.gid) return `the gid ${one.gid}, and others have ${other.gid}`;
  if (one.groups.join() !== other.groups.join()) return 'other groups than the rest of the job';
  return null;
}

function limitsIn(task: readonly Field[], thread: readonly Field[] | null): Limits | null {
  const list = nested(task, RLIMITS, null);
  if (list === null) return null;
  const rlimits = list
    .filter(({ number, value }) => number === RLIMIT && value instanceof Buffer)
    .map(({ value }) => [int64Of(value as Buffer, 1), int64Of(value as Buffer, 2)] as const);
  const adj = task.findLast(({ number }) => number === OOM_SCORE_ADJ);
  return { rlimits, oomScoreAdj: Number(adj?.big ?? adj?.value ?? 0), priority: priorityIn(thread) };
}

function priorityIn(thread: readonly Field[] | null): Limits['priority'] {
  const [nice, policy] = [fieldOf(thread, NICE), fieldOf(thread, POLICY)];
  if (typeof nice !== 'number' || typeof policy !== 'number') return null;
  // A number that may be negative: 0, -1, 1, -2, … as protobuf counts them.
  return { nice: nice % 2 === 0 ? nice / 2 : -(nice + 1) / 2, policy };
}

/** 32 of them a number, the lowest first. All of them where it is none. */
function bitsOf(fields: readonly Field[], number: number): bigint {
  const words = fields.filter((field) => field.number === number).map(({ value }) => value);
  return words.reduce(
    (bits: bigint, word, at) => bits | ((typeof word === 'number' ? BigInt(word) : ~0n) << BigInt(32 * at)),
    0n,
  );
}

const isId = (value: unknown): value is number => typeof value === 'number' && value < 0xffff_ffff;
