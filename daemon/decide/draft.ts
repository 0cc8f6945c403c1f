import type { Note, NoteKind, Reply } from '../vocabulary/decision.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs, JobId, Millis } from '../vocabulary/job.ts';
import { runKey } from '../vocabulary/job.ts';
import type { Policy } from '../vocabulary/policy.ts';
import type { JobRecord, NodeRecord, NoticeRecord, OwnDrain, State } from '../vocabulary/state.ts';

/**
 * A decision in the making. The state before is never changed: a map is copied at its first write, and a record is
 * only ever replaced.
 */
export class Draft {
  readonly at: EpochMs;
  /** The time of the event before. */
  readonly lastAt: EpochMs;
  readonly policy: Policy;
  readonly effects: Effect[] = [];
  readonly recalls: string[] = [];
  readonly notes: Note[] = [];
  readonly replies: Reply[] = [];
  #jobs: Map<JobId, JobRecord> | null = null;
  #nodes: Map<string, NodeRecord> | null = null;
  #notices: Map<string, NoticeRecord> | null = null;
  #unconfirmed: ReadonlyMap<string, EpochMs>;
  ownDrain: OwnDrain | null;
  /** Null until every source of notices has answered once. */
  bootedAt: EpochMs | null;
  /** A cache of `plan-time.ts`; null: not counted yet in this event. */
  reserveMs: Millis | null = null;
  readonly #before: State;

  constructor(before: State, at: EpochMs, policy: Policy) {
    this.#before = before;
    this.at = at;
    this.lastAt = before.clock;
    this.policy = policy;
    this.ownDrain = before.ownDrain;
    this.bootedAt = before.bootedAt ?? null;
    this.#unconfirmed = before.unconfirmed ?? new Map();
  }

  get jobs(): ReadonlyMap<JobId, JobRecord> {
    return this.#jobs ?? this.#before.jobs;
  }

  get nodes(): ReadonlyMap<string, NodeRecord> {
    return this.#nodes ?? this.#before.nodes;
  }

  get notices(): ReadonlyMap<string, NoticeRecord> {
    return this.#notices ?? this.#before.notices;
  }

  get unconfirmed(): ReadonlyMap<string, EpochMs> {
    return this.#unconfirmed;
  }

  /** Slurm has confirmed the node's state, or its time for that is over. */
  confirm(node: string): void {
    if (this.#unconfirmed.has(node)) {
      this.#unconfirmed = new Map([...this.#unconfirmed].filter(([name]) => name !== node));
    }
  }

  /** An unchanged record keeps its reference, so that the journal has nothing to write. */
  put(job: JobRecord): JobRecord {
    const known = this.jobs.get(job.jobId);
    if (known && sameFields(known, job)) return known;
    this.#jobs ??= new Map(this.#before.jobs);
    this.#jobs.set(job.jobId, job);
    return job;
  }

  /** Replaces some fields of a job's record, if there still is one. */
  change(jobId: JobId, fields: Partial<JobRecord>): void {
    const job = this.jobs.get(jobId);
    if (job) this.put({ ...job, ...fields });
  }

  drop(jobId: JobId): void {
    if (!this.jobs.has(jobId)) return;
    this.#jobs ??= new Map(this.#before.jobs);
    this.#jobs.delete(jobId);
  }

  putNode(node: NodeRecord): void {
    this.#nodes ??= new Map(this.#before.nodes);
    this.#nodes.set(node.facts.node, node);
  }

  dropNode(name: string): void {
    this.#nodes ??= new Map(this.#before.nodes);
    this.#nodes.delete(name);
  }

  putNotice(record: NoticeRecord): void {
    this.#notices ??= new Map(this.#before.notices);
    this.#notices.set(record.notice.id, record);
  }

  dropNotice(id: string): void {
    this.#notices ??= new Map(this.#before.notices);
    this.#notices.delete(id);
  }

  note(
    level: Note['level'],
    kind: NoteKind,
    job: { readonly jobId: JobId; readonly restarts: number } | null,
    message: string,
    details: Note['details'] = {},
  ): void {
    const run = job ? runKey(job.jobId, job.restarts) : null;
    this.notes.push({ level, kind, jobId: job?.jobId ?? null, run, message, details });
  }

  /** Notes what would have been done without the dry run: in the log, the history and the counters. */
  noteDryRun(job: JobRecord | null, what: string, details: Note['details']): void {
    const whose = job === null ? '' : `job ${job.jobId}: `;
    this.note('warn', 'dry-run', job, `dry run: ${whose}${what}`, details);
  }

  reply(
    requestId: string | null,
    answer:
      | { actionId: string | null }
      | { noticeId: string; created: boolean }
      | { status: number; message: string },
  ): void {
    if (requestId === null) return;
    this.replies.push(
      'status' in answer ? { requestId, ok: false, ...answer } : { requestId, ok: true, ...answer },
    );
  }

  state(): State {
    const { jobs, nodes, notices, ownDrain, unconfirmed, bootedAt } = this;
    return {
      ...{ clock: this.at, jobs, nodes, notices, ownDrain },
      ...(unconfirmed.size === 0 ? {} : { unconfirmed }),
      ...(bootedAt === null ? {} : { bootedAt }),
    };
  }
}

function sameFields(a: JobRecord, b: JobRecord): boolean {
  return (Object.keys(b) as (keyof JobRecord)[]).every((field) => Object.is(a[field], b[field]));
}
