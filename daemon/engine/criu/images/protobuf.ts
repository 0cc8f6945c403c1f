/** Wire types of a fixed size, in bytes. */
const FIXED = new Map([
  [1, 8],
  [5, 4],
]);

/** One field of a message: a number, NaN beyond 2^53, or the bytes of a string or a nested message. */
export interface Field {
  readonly number: number;
  readonly value: number | Buffer;
  /** The number where it is beyond 2^53, as the signed one that it is to protobuf: -1 is 2^64 - 1. */
  readonly big?: bigint;
  /** Where the value begins in the message that was read. */
  readonly at: number;
}

/**
 * The fields of a protobuf message, nested ones as views into the same bytes. Fixed-size numbers are passed over. Null
 * where it is cut, or holds groups, which CRIU's images do not.
 */
export function readFields(message: Buffer): Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number | null => {
    let value = 0;
    for (let shift = 0; shift < 70 && at < message.length; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : Number.NaN;
    }
    return null;
  };
  const big = (begin: number): bigint => {
    let value = 0n;
    for (let place = begin; place < at; place++)
      value |= BigInt(message[place]! & 0x7f) << BigInt(7 * (place - begin));
    return BigInt.asIntN(64, value);
  };
  while (at < message.length) {
    const key = varint();
    if (key === null) return null;
    const [number, type] = [Math.floor(key / 8), key % 8];
    const fixed = FIXED.get(type);
    if (fixed !== undefined) {
      at += fixed;
      if (at > message.length) return null;
      continue;
    }
    const begin = at;
    const value = varint();
    if (value === null) return null;
    if (type === 0)
      fields.push({ number, value, at: begin, ...(Number.isNaN(value) && { big: big(begin) }) });
    else if (type === 2 && value <= message.length - at) {
      fields.push({ number, value: message.subarray(at, at + value), at });
      at += value;
    } else return null;
  }
  return fields;
}

/** The fields of a nested message: `none` where it is left out, null where it is cut. */
export function nested<None>(
  fields: readonly Field[] | null,
  number: number,
  none: None,
): readonly Field[] | null | None {
  const message = fieldOf(fields, number);
  return message instanceof Buffer ? readFields(message) : none;
}

/** A field's value by its number; the last one counts, as protobuf has it. */
export function fieldOf(fields: readonly Field[] | null, number: number): number | Buffer | undefined {
  return fields?.findLast((field) => field.number === number)?.value;
}

/** A number of a message in full, signed; 0 where it is left out. */
export function int64Of(message: Buffer, number: number): bigint {
  const field = readFields(message)?.findLast((each) => each.number === number);
  if (typeof field?.value !== 'number') return 0n;
  return field.big ?? BigInt(field.value);
}

/** The message with one more number, which counts instead of an earlier one of the same field. */
export function withNumber(message: Buffer, number: number, value: number): Buffer {
  return Buffer.concat([message, varint(number * 8), varint(value)]);
}

/** The message with other bytes in one of its fields, which has to be one of bytes. */
export function replaced(message: Buffer, { number, at, value }: Field, bytes: Buffer): Buffer {
  const old = value as Buffer;
  const begin = at - varint(old.length).length - varint(number * 8 + 2).length;
  return Buffer.concat([
    message.subarray(0, begin),
    varint(number * 8 + 2),
    varint(bytes.length),
    bytes,
    message.subarray(at + old.length),
  ]);
}

function varint(value: number): Buffer {
  const digits: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...digits, rest]);
    digits.push((rest % 128) + 128);
  }
}
