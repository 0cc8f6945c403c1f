/** Of criu/include/magic.h: an image of the second generation. */
const IMG_COMMON_MAGIC = 0x54564319;

/**
 * The messages of an image of CRIU's, as views into it. `payload`: how many bytes follow a message that are none. A string
 * says what is wrong with it.
 */
export function entriesOf(
  image: Buffer,
  { name, magic }: { readonly name: string; readonly magic: number },
  payload: (entry: Buffer) => number = () => 0,
): Buffer[] | string {
  if (image.length < 8 || image.readUInt32LE(0) !== IMG_COMMON_MAGIC || image.readUInt32LE(4) !== magic)
    return `${name} is none of CRIU`;
  const entries: Buffer[] = [];
  for (let at = 8; at < image.length; ) {
    const begin = at + 4;
    if (begin > image.length) return `${name} is cut`;
    const end = begin + image.readUInt32LE(at);
    if (end > image.length) return `${name} is cut`;
    const entry = image.subarray(begin, end);
    entries.push(entry);
    at = end + payload(entry);
    // NaN too: a length that is none.
    if (!(at <= image.length)) return `${name} is cut`;
  }
  return entries;
}

/** The image with other messages in the place of some; those have to be views into it, in their order. */
export function withEntries(
  image: Buffer,
  changes: readonly (readonly [old: Buffer, now: Buffer])[],
): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const [old, now] of changes) {
    const at = old.byteOffset - image.byteOffset;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(now.length);
    parts.push(image.subarray(from, at - 4), size, now);
    from = at + old.length;
  }
  return Buffer.concat([...parts, image.subarray(from)]);
}

/** The first message of an image, as a view into it; null where there is none. */
export function firstEntry(image: Buffer, magic: number): Buffer | null {
  if (image.length < 12 || image.readUInt32LE(0) !== IMG_COMMON_MAGIC || image.readUInt32LE(4) !== magic)
    return null;
  const end = 12 + image.readUInt32LE(8);
  return end > image.length ? null : image.subarray(12, end);
}
