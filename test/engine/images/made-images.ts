/** CRIU's files.img, as far as the engine reads it: see images/fdinfo.proto. */
export function filesImage(held: {
  readonly files?: readonly string[];
  readonly sockets?: readonly {
    readonly name: string;
    readonly folder?: string;
    readonly extern?: boolean;
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
  const sockets = (held.sockets ?? []).map(({ name, folder, extern }) =>
    entry(5, 1, 16, [
      number(1, 8),
      // A negative number takes ten bytes.
      Buffer.from([0x88, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      number(6, extern ? 1 : 0),
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

/** Its sk-queues.img: packets of some bytes, each with the descriptors of these files (the first is 1) on their way. */
export function queuesImage(packets: readonly (readonly number[])[]): Buffer {
  const all = packets.flatMap((ids, at) => {
    const data = Buffer.from(`packet ${at}`);
    const rights = bytes(4, Buffer.concat([number(1, 1), ...ids.map((id) => number(2, id))]));
    return [
      sized(Buffer.concat([number(1, 7), number(2, data.length), ...(ids.length > 0 ? [rights] : [])])),
      data,
    ];
  });
  return Buffer.concat([magic(0x56264026), ...all]);
}

/** Its remap-fpath.img: files that were deleted (1), or have another name now (0). */
export function remapsImage(remaps: readonly (readonly [file: number, type: 0 | 1])[]): Buffer {
  const all = remaps.map(([file, type]) =>
    sized(Buffer.concat([number(1, file), number(2, 99), number(3, type)])),
  );
  return Buffer.concat([magic(0x59133954), ...all]);
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
  readonly securebits?: number;
  readonly noNewPrivs?: boolean;
}

/** Its core-PID.img, as far as the engine reads it. */
export function coreImage(creds: Creds): Buffer {
  const { uids, gids } = creds;
  const each = (field: number, values: readonly number[] = []) => values.map((value) => number(field, value));
  const fields = [
    ...uids.flatMap((uid, at) => [number(2 * at + 1, uid), number(2 * at + 2, gids[at]!)]),
    ...each(9, creds.inheritable),
    ...each(10, creds.permitted),
    ...each(11, creds.effective),
    ...each(12, [0xffffffff, 0x1ff]),
    number(13, creds.securebits ?? 0),
    ...each(14, creds.groups),
    bytes(15, Buffer.from('unconfined')),
    number(18, creds.noNewPrivs ? 1 : 0),
    ...each(19, creds.ambient),
  ];
  const thread = [number(1, 0), bytes(10, Buffer.concat(fields)), bytes(13, Buffer.from('bash'))];
  return Buffer.concat([
    magic(0x55053847),
    sized(Buffer.concat([number(1, 1), bytes(5, Buffer.concat(thread))])),
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

function varint(value: number): Buffer {
  const digits: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...digits, rest]);
    digits.push((rest % 128) + 128);
  }
}
