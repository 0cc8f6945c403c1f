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
