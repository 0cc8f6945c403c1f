import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** One open file of the frozen tree, as ckptd-criu wrote it down. Pids are those of the job's pid namespace. */
export interface RecordEntry {
  readonly kind: 'fd' | 'map' | 'exe' | 'cwd' | 'root';
  /** Its name is gone: CRIU carries what is in it. */
  readonly deleted: boolean;
  readonly pid: number;
  /** Below /proc/<pid>/: `fd/3`, `map_files/400000-401000`, `exe`, `cwd`, `root`. */
  readonly place: string;
  /** open(2)'s flags of an fd, else 0. */
  readonly flags: number;
  readonly dev: { readonly major: number; readonly minor: number };
  readonly ino: string;
  /** Bytes; of an fd and a map. */
  readonly size: number;
  /** st_mode. */
  readonly mode: number;
  /** Null where its bytes are no UTF-8: nothing that is written down can name it. */
  readonly path: string | null;
}

/** Past a million lines it is nobody's open files. */
const MOST_LINES = 1_000_000;
const LONGEST_LINE = 3 * 4096 + 400;

/** Rejects with the reason where the record is not whole, or not a record. `visit` is called for each entry. */
export async function readRecord(path: string, visit: (entry: RecordEntry) => void): Promise<void> {
  const lines = createInterface({
    input: createReadStream(path, 'latin1'),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let count = 0;
  let end: number | null = null;
  for await (const line of lines) {
    if (end !== null) throw new Error('the record of open files goes on behind its end');
    const last = /^end (\d{1,10})$/.exec(line)?.[1];
    if (last !== undefined) {
      end = Number(last);
      continue;
    }
    if (++count > MOST_LINES) throw new Error(`the job has more than ${MOST_LINES} open files and mappings`);
    const entry = line.length <= LONGEST_LINE ? parseEntry(line) : null;
    if (!entry) throw new Error(`line ${count} of the record of open files cannot be read`);
    visit(entry);
  }
  if (end === null) throw new Error('the record of open files is cut');
  if (end !== count) throw new Error(`the record of open files has ${count} lines of ${end}`);
}

const DEVICE = String.raw`(?<major>\d{1,10}):(?<minor>\d{1,10})`;
const MODE = '(?<mode>[0-7]{1,7})';
const SIZED = String.raw`${DEVICE} (?<ino>\d{1,20}) (?<size>\d{1,19}) ${MODE}`;
const NAME = '(?<path>[!-~]+)$';
/** By how a line begins. */
const SHAPES: readonly (readonly [string, RegExp])[] = [
  [
    'fd',
    new RegExp(
      String.raw`^(?<kind>fd)(?<deleted>-deleted)? (?<pid>\d{1,10}) (?<fd>\d{1,10}) (?<flags>[0-7]{1,12}) ${SIZED} \d{1,20} ${NAME}`,
    ),
  ],
  [
    'map',
    new RegExp(
      String.raw`^(?<kind>map)(?<deleted>-deleted)? (?<pid>\d{1,10}) (?<range>[0-9a-f]{1,16}-[0-9a-f]{1,16}) ${SIZED} ${NAME}`,
    ),
  ],
  [
    '',
    new RegExp(
      String.raw`^(?<kind>exe|cwd|root)(?<deleted>-deleted)? (?<pid>\d{1,10}) ${DEVICE} (?<ino>\d{1,20}) ${MODE} ${NAME}`,
    ),
  ],
];

/** One line; null for what is none. */
export function parseEntry(line: string): RecordEntry | null {
  const fields = SHAPES.find(([beginning]) => line.startsWith(beginning))![1].exec(line)?.groups;
  if (!fields) return null;
  const size = Number(fields['size'] ?? 0);
  const path = decodePath(fields['path']!);
  if (!Number.isSafeInteger(size) || path === undefined) return null;
  const kind = fields['kind'] as RecordEntry['kind'];
  const place = fields['fd'] ? `fd/${fields['fd']}` : fields['range'] ? `map_files/${fields['range']}` : kind;
  return {
    kind,
    deleted: fields['deleted'] !== undefined,
    pid: Number(fields['pid']),
    place,
    flags: Number.parseInt(fields['flags'] ?? '0', 8),
    dev: { major: Number(fields['major']), minor: Number(fields['minor']) },
    ino: fields['ino']!,
    size,
    mode: Number.parseInt(fields['mode']!, 8),
    path,
  };
}

/** Percent-encoded bytes; null where they are no UTF-8, undefined where they are not encoded so, or hold a NUL. */
function decodePath(text: string): string | null | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  if (!text.includes('%')) return text;
  const latin1 = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const bytes = Buffer.from(latin1, 'latin1');
  if (bytes.includes(0)) return undefined;
  const path = bytes.toString('utf8');
  return Buffer.from(path, 'utf8').equals(bytes) ? path : null;
}
