import * as v from 'valibot';
import { CHECKPOINT_KINDS } from '../vocabulary/job.ts';

/** What an engine of another version wrote is not guessed at. */
export const MANIFEST_VERSION = 1;
export const ORDER_VERSION = 1;
export const RUN_VERSION = 1;

export const COMPRESSIONS = ['zstd', 'none'] as const;

/** Everything in a manifest came from a job or from a disk: bounded, so that none of it can fill the memory. */
const MOST_ENTRIES = 200_000;
/** The fence reads no more than 4 KiB of a record. */
export const MOST_BEFORE = 3;
const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const digits = v.pipe(v.string(), v.regex(/^\d{1,20}$/));
/** Of a file that is stored as it is. Missing in the first manifests of this version. */
const crc32 = v.pipe(wholeNumber, v.maxValue(0xffff_ffff));
const word = v.pipe(v.string(), v.maxLength(1024));
const absolute = v.pipe(v.string(), v.maxLength(4096), v.regex(/^\/[^\0]*$/));
/** Of a file in the checkpoint's own folder: never a path out of it. */
const fileName = v.pipe(v.string(), v.maxLength(255), v.regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/));
const uuid = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/));
const listOf = <Item extends v.GenericSchema>(item: Item) =>
  v.pipe(v.array(item), v.maxLength(MOST_ENTRIES), v.readonly());
const record = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  v.pipe(v.object(entries), v.readonly());

export const manifestSchema = record({
  version: v.literal(MANIFEST_VERSION),
  actionId: uuid,
  clusterId: uuid,
  jobId: v.pipe(wholeNumber, v.minValue(1)),
  restarts: wholeNumber,
  uid: wholeNumber,
  gid: wholeNumber,
  user: word,
  jobName: word,
  /** Of that run: a requeue resets it. Epoch ms, as all times here. */
  submitAt: wholeNumber,
  node: word,
  kind: v.picklist(CHECKPOINT_KINDS),
  reason: v.picklist(['heartbeat', 'manual', 'restore']),
  takenAt: wholeNumber,
  publishedAt: wholeNumber,
  /** From CRIU's own statistics: freezing and frozen. */
  frozenMs: v.pipe(v.number(), v.finite(), v.minValue(0)),
  /** Null for `rootfsonly`, which holds no processes. `restoreOptions` repeat what the dump was made with. */
  criu: v.nullable(record({ version: word, restoreOptions: listOf(word) })),
  /** Of /proc/cpuinfo at the dump: a node that lacks one cannot go on with it. */
  cpuFlags: listOf(word),
  kernel: word,
  /** In its pid namespace. */
  rootPid: wholeNumber,
  /** What was done, which is `none` too where zstd was asked for and would not have made it smaller. */
  compress: v.picklist(COMPRESSIONS),
  /** CRIU's images by CRIU's own names; in `images/`, with `.zst` behind the name where compressed. */
  images: listOf(
    record({ name: fileName, bytes: wholeNumber, storedBytes: wholeNumber, crc32: v.optional(crc32) }),
  ),
  /** The job's node-local files. */
  archive: v.nullable(record({ name: fileName, bytes: wholeNumber, crc32: v.optional(crc32) })),
  /** Writable regular files on shared file systems, to be rolled back to `size`, the one that they had while frozen. */
  files: listOf(
    record({
      path: absolute,
      ino: digits,
      dev: digits,
      size: wholeNumber,
      /** By all who write to it. */
      append: v.boolean(),
      /** Somebody does not only append to it, so that CRIU holds it to `size`. Missing in the first manifests. */
      sized: v.optional(v.boolean()),
    }),
  ),
  /** StdOut and StdErr as Slurm expands them: slurmstepd truncates them at the next start. */
  output: listOf(absolute),
  /** Paths in the archive. */
  carried: listOf(absolute),
});

/** `manifest.json` of a checkpoint, written last: a folder without it is no checkpoint. */
export type Manifest = v.InferOutput<typeof manifestSchema>;

export const orderSchema = record({
  version: v.literal(ORDER_VERSION),
  jobId: v.pipe(wholeNumber, v.minValue(1)),
  clusterId: uuid,
  uid: wholeNumber,
  actionId: uuid,
  /** Of the run that is to be restored: the old one's, plus one. */
  restarts: wholeNumber,
  reason: word,
  fromNode: word,
  createdAt: wholeNumber,
  /**
   * The old run stood frozen on `fromNode` from its dump on, and is killed there before it can run a line. Missing where
   * whoever ordered it knows nothing of that run, and in orders of older engines.
   */
  ended: v.optional(v.boolean()),
  /** `ExcNodeList` as the user had it, to be put back. */
  excludedNodes: v.pipe(v.string(), v.maxLength(65_536)),
});

/** `order.json` of a job: its next run begins from this checkpoint and no other. */
export type Order = v.InferOutput<typeof orderSchema>;

export const runSchema = record({
  version: v.literal(RUN_VERSION),
  jobId: v.pipe(wholeNumber, v.minValue(1)),
  clusterId: uuid,
  /** Of this run; 0 where the node that wrote it did not know. */
  restarts: wholeNumber,
  /** Where its batch script runs. */
  node: v.pipe(word, v.minLength(1)),
  startedAt: wholeNumber,
  /** Other nodes that the runs before it may have been on, for an engine that has to begin this one once more. */
  before: v.optional(v.pipe(v.array(word), v.maxLength(MOST_BEFORE), v.readonly())),
});

/** `run.json` of a job: its newest run, and where. An engine that cannot ask Slurm ends any older one by it. */
export type RunRecord = v.InferOutput<typeof runSchema>;
