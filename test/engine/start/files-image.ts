/** CRIU's files.img, as far as the engine reads it: see images/fdinfo.proto. */
export function filesImage(held: {
  readonly files?: readonly string[];
  readonly sockets?: readonly { readonly name: string; readonly folder?: string }[];
}): Buffer {
  const files = (held.files ?? []).map((name) =>
    entry(1, 3, [
      number(1, 7),
      number(3, 2 ** 40),
      bytes(5, number(1, 0)),
      bytes(6, Buffer.from(name, 'latin1')),
    ]),
  );
  const sockets = (held.sockets ?? []).map(({ name, folder }) =>
    entry(5, 16, [
      number(1, 8),
      // A negative number takes ten bytes.
      Buffer.from([0x88, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      bytes(11, Buffer.from(name, 'latin1')),
      ...(folder === undefined ? [] : [bytes(14, Buffer.from(folder, 'latin1'))]),
    ]),
  );
  const magic = Buffer.alloc(8);
  magic.writeUInt32LE(0x54564319, 0);
  magic.writeUInt32LE(0x56303138, 4);
  // A pipe has no name.
  return Buffer.concat([magic, ...files, entry(2, 18, [number(1, 9)]), ...sockets]);
}

function entry(type: number, field: number, fields: readonly Buffer[]): Buffer {
  const message = Buffer.concat([number(1, type), number(2, 1), bytes(field, Buffer.concat(fields))]);
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
