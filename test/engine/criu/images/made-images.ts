/** CRIU's files.img, as far as the engine reads it: see images/fdinfo.proto. */
export function filesImage(held: {
  readonly files?: readonly string[];
  readonly sockets?: readonly {
    readonly name: string;
    readonly folder?: string;
    readonly extern?: boolean;
    /** As getsockopt(2) has them, doubled. */
    readonly buffers?: { readonly send: number; readonly receive: number };
  }[];
  /** Each a descriptor of inotify with its watches; null: one without a path. */
  readonly watches?: readonly (readonly (string | null)[])[];
  readonly fanotify?: boolean;
}): Buffer {
  const files = (held.files ?? []).map((name, at) =>
    entry(1, at + 1, 3, [
      number(1, 7),
      number(3, 2 ** 40),
      bytes(5, number(1, 0)),
      bytes(6, Buffer.from(name, 'latin1')),
    ]),
  );
  const sockets = (held.sockets ?? []).map(({ name, folder, extern, buffers }) =>
    entry(5, 1, 16, [
      number(1, 8),
      // A negative number takes ten bytes.
      Buffer.from([0x88, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      number(6, extern ? 1 : 0),
      ...(buffers ? [bytes(10, Buffer.concat([number(1, buffers.send), number(2, buffers.receive)]))] : []),
      bytes(11, Buffer.from(name, 'latin1')),
      ...(folder === undefined ? [] : [bytes(14, Buffer.from(folder, 'latin1'))]),
    ]),
  );
  const watches = (held.watches ?? []).map((paths, at) =>
    entry(8, 100 + at, 13, [
      number(1, 100 + at),
      number(2, 0),
      ...paths.map((path, wd) => bytes(5, watch(wd + 1, path))),
    ]),
  );
  const fanotify = held.fanotify ? [entry(12, 200, 14, [number(1, 200), number(2, 0)])] : [];
  // A pipe has no name.
  return Buffer.concat([
    magic(0x56303138),
    ...files,
    entry(2, 1, 18, [number(1, 9)]),
    ...sockets,
    ...watches,
    ...fanotify,
  ]);
}

function watch(wd: number, path: string | null): Buffer {
  const handle = Array.from({ length: 16 }, (_, at) => number(3, at));
  const name = path === null ? [] : [bytes(4, Buffer.from(path, 'latin1'))];
  const fields = [
    number(1, 1),
    number(2, 2 ** 40),
    number(3, 0x3c6),
    number(4, 0),
    number(5, 0x800001),
    number(6, wd),
  ];
  return Buffer.concat([
    ...fields,
    bytes(7, Buffer.concat([number(1, 8), number(2, 1), ...handle, ...name])),
  ]);
}

export interface Creds {
  /** Real, effective, saved, file system. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups?: readonly number[];
  /** 32 bits a number. */
  readonly inheritable?: readonly number[];
  readonly permitted?: readonly number[];
  readonly effective?: readonly number[];
  readonly ambient?: readonly number[];
  /** Default: whole, as Linux 6.1 knows it. */
  readonly bounding?: readonly number[];
  readonly securebits?: number;
  readonly noNewPrivs?: boolean;
}

/** What belongs to a process, and not to its other threads. */
export interface Task {
  /** 1: alive, 2: dead, 3: stopped, 6: a zombie. */
  readonly state?: number;
  /** By number: soft and hard; -1 is unlimited. Left out: the image has none. */
  readonly rlimits?: readonly (readonly [soft: number, hard: number])[];
  readonly oomScoreAdj?: number;
  /** Of its first thread. */
  readonly priority?: { readonly nice: number; readonly policy: number };
}

/** The ids of a user's ordinary program. */
export const ordinary = (uid: number, gid: number, groups: readonly number[] = []): Creds => ({
  uids: Array(4).fill(uid) as number[],
  gids: Array(4).fill(gid) as number[],
  groups,
});

/** Its core-PID.img, as far as the engine reads it. `creds`: null for a process that is dead. `task`: null for another thread. */
export function coreImage(creds: Creds | null, task: Task | null = {}): Buffer {
  const fields = [
    number(1, 1),
    ...(task === null ? [] : [bytes(3, taskOf(task))]),
    ...(creds === null ? [] : [bytes(5, threadOf(creds, task?.priority))]),
  ];
  return Buffer.concat([magic(0x55053847), sized(Buffer.concat(fields))]);
}

function taskOf({ state = 1, rlimits, oomScoreAdj }: Task): Buffer {
  const limits = (rlimits ?? []).map(([soft, hard]) =>
    bytes(1, Buffer.concat([number(1, soft), number(2, hard)])),
  );
  return Buffer.concat([
    number(1, state),
    number(2, 0),
    number(3, 0),
    bytes(6, Buffer.from('bash')),
    ...(rlimits === undefined ? [] : [bytes(8, Buffer.concat(limits))]),
    ...(oomScoreAdj === undefined ? [] : [number(14, oomScoreAdj)]),
  ]);
}

function threadOf(creds: Creds, priority?: Task['priority']): Buffer {
  const { uids, gids, bounding = [0xffffffff, 0x1ff] } = creds;
  const each = (field: number, values: readonly number[] = []) => values.map((value) => number(field, value));
  const fields = [
    ...uids.flatMap((uid, at) => [number(2 * at + 1, uid), number(2 * at + 2, gids[at]!)]),
    ...each(9, creds.inheritable),
    ...each(10, creds.permitted),
    ...each(11, creds.effective),
    ...each(12, bounding),
    number(13, creds.securebits ?? 0),
    ...each(14, creds.groups),
    bytes(15, Buffer.from('unconfined')),
    number(18, creds.noNewPrivs ? 1 : 0),
    ...each(19, creds.ambient),
  ];
  // sint32: 0, -1, 1, -2, …
  const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
  const scheduled = priority ? [number(3, zigzag(priority.nice)), number(4, priority.policy)] : [];
  return Buffer.concat([
    number(1, 0),
    ...scheduled,
    bytes(10, Buffer.concat(fields)),
    bytes(13, Buffer.from('bash')),
  ]);
}

function magic(second: number): Buffer {
  const both = Buffer.alloc(8);
  both.writeUInt32LE(0x54564319, 0);
  both.writeUInt32LE(second, 4);
  return both;
}

function entry(type: number, id: number, field: number, fields: readonly Buffer[]): Buffer {
  return sized(Buffer.concat([number(1, type), number(2, id), bytes(field, Buffer.concat(fields))]));
}

function sized(message: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(message.length);
  return Buffer.concat([size, message]);
}

const number = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field: number, value: Buffer): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);

/** A negative number is 2^64 more, and takes ten bytes. */
function varint(value: number): Buffer {
  const digits: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...digits, Number(rest)]);
    digits.push(Number(rest & 127n) + 128);
  }
}
