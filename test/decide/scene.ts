import { decide, EMPTY_STATE } from '../../daemon/decide/decide.ts';
import { takenOver } from '../../daemon/decide/evacuation/unconfirmed.ts';
import type { Decision, Note, NoteKind, Reply } from '../../daemon/vocabulary/decision.ts';
import type { Effect, EffectKind } from '../../daemon/vocabulary/effect.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';
import type { EpochMs, JobFacts, JobId, Millis } from '../../daemon/vocabulary/job.ts';
import type { Notice } from '../../daemon/vocabulary/notice.ts';
import type { Outcome } from '../../daemon/vocabulary/outcome.ts';
import type { HeartbeatRule, JobRule, Policy } from '../../daemon/vocabulary/policy.ts';
import type { JobRecord, State } from '../../daemon/vocabulary/state.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const T0: EpochMs = 1_800_000_000_000;
export const NODE = 'n1';

export function heartbeatOf(fields: Partial<HeartbeatRule> = {}): HeartbeatRule {
  return { trigger: { every: 15 * MINUTE }, splay: 0, minAge: 0, kind: 'simple', ...fields };
}

export function ruleOf(fields: Partial<JobRule> = {}): JobRule {
  return { match: {}, enabled: true, resume: true, heartbeat: heartbeatOf(), ...fields };
}

interface PolicyFields extends Partial<Omit<Policy, 'restore'>> {
  readonly restore?: Partial<Policy['restore']>;
}

export function policyOf({ restore, ...fields }: PolicyFields = {}): Policy {
  return {
    node: NODE,
    rules: [ruleOf()],
    heartbeatConcurrency: 2,
    drainNode: true,
    noticeProviders: ['auto'],
    ...fields,
    restore: {
      onDrain: true,
      onTermination: true,
      skipReasons: [],
      finalCheckpoint: true,
      sourceJob: 'cancel',
      concurrency: 4,
      dryRun: false,
      ...restore,
    },
  };
}

export function factsOf(jobId: JobId, fields: Partial<JobFacts> = {}): JobFacts {
  return {
    jobId,
    restarts: 0,
    uid: 1000,
    user: 'ann',
    state: 'RUNNING',
    nodes: [NODE],
    batchHost: NODE,
    partition: 'main',
    account: 'lab',
    qos: 'normal',
    name: 'train',
    cpus: 4,
    startAt: T0,
    submitAt: T0 - MINUTE,
    requeue: true,
    hetJobId: null,
    ...fields,
  };
}

/** A termination notice of EC2's, two minutes ahead of `T0`. */
export function noticeOf(fields: Partial<Notice> = {}): Notice {
  return {
    id: 'a0b1c2d3e4f50617',
    source: 'ec2/spot',
    kind: 'termination',
    deadline: T0 + 2 * MINUTE,
    reason: 'spot terminate',
    dryRun: false,
    ...fields,
  };
}

/** Makes every write to a state throw: `decide` must leave what it is given as it is. */
export function frozen(state: State): State {
  for (const map of [state.jobs, state.nodes, state.notices]) {
    for (const record of map.values()) freezeDeep(record);
    for (const method of ['set', 'delete', 'clear']) {
      Object.defineProperty(map, method, {
        configurable: true,
        value: () => {
          throw new Error(`the state before was changed by Map.${method}`);
        },
      });
    }
  }
  return Object.freeze(state);
}

function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeep(part);
}

/**
 * A daemon without its outside: events go in one after the other, and what `decide` asks for stays open until the
 * test settles it. Like the journal it performs an effect's id once, whatever is asked for later under the same id.
 */
export class Scene {
  state: State = EMPTY_STATE;
  policy: Policy;
  now: EpochMs = T0;
  wakeAt: EpochMs | null = null;
  readonly open = new Map<string, Effect>();
  readonly sent: Effect[] = [];
  readonly notes: Note[] = [];
  readonly replies: Reply[] = [];
  readonly recalled: string[] = [];
  readonly requests: string[] = [];
  readonly #ids = new Set<string>();
  onEffect: (effect: Effect) => void = () => undefined;

  constructor(policy: Policy = policyOf()) {
    this.policy = policy;
  }

  send(event: DaemonEvent): Decision {
    const decision = decide(frozen(this.state), event, this.policy);
    if (event.type === 'settled') this.open.delete(event.effect.id);
    for (const effect of decision.effects) {
      if (this.#ids.has(effect.id))
        throw new Error(`the journal performs ${effect.id} once, and it was asked for again`);
      this.#ids.add(effect.id);
      this.sent.push(effect);
      this.open.set(effect.id, effect);
    }
    this.state = decision.state;
    decision.effects.forEach(this.onEffect);
    this.wakeAt = decision.wakeAt;
    if (this.wakeAt !== null && this.wakeAt <= this.state.clock)
      throw new Error('wakeAt is not in the future');
    this.notes.push(...decision.notes);
    this.replies.push(...decision.replies);
    this.recalled.push(...decision.recalls);
    return decision;
  }

  // ---- events, at `now`

  job(jobId: JobId, fields: Partial<JobFacts> = {}): Decision {
    return this.send({ type: 'job', at: this.now, facts: factsOf(jobId, fields) });
  }

  node(flags: readonly string[] = [], { node = NODE, base = 'MIXED', reason = 'bad disk' } = {}): Decision {
    return this.send({ type: 'node', at: this.now, facts: { node, base, flags, reason } });
  }

  drain(node: string = NODE): Decision {
    return this.node(['DRAIN'], { node });
  }

  resume(node: string = NODE): Decision {
    return this.node([], { node });
  }

  /** What a source says now, whole. */
  notices(source: string, ...standing: readonly Notice[]): Decision {
    return this.send({ type: 'notices', at: this.now, source, standing });
  }

  /** One source's only notice, that many milliseconds ahead. */
  terminate(ahead: Millis | null, fields: Partial<Notice> = {}): Decision {
    const notice = noticeOf({ deadline: ahead === null ? null : this.now + ahead, ...fields });
    return this.notices(notice.source, notice);
  }

  askNotice(fields: Partial<Notice> = {}): string {
    const requestId = this.#request();
    const notice = noticeOf({ source: 'socket', ...fields });
    this.send({ type: 'ask-notice', at: this.now, notice, requestId });
    return requestId;
  }

  askWithdraw(noticeId: string): string {
    const requestId = this.#request();
    this.send({ type: 'ask-withdraw', at: this.now, noticeId, requestId });
    return requestId;
  }

  tick(): Decision {
    return this.send({ type: 'tick', at: this.now });
  }

  slot(schedule: string): Decision {
    return this.send({ type: 'slot', at: this.now, schedule });
  }

  started(): Decision {
    return this.send({ type: 'started', at: this.now });
  }

  /** Another process takes the journal over, and with it what is open. */
  restart(): Decision {
    const { bootedAt: _, ...journaled } = this.state;
    this.state = takenOver(journaled, this.now);
    return this.started();
  }

  epilog(jobId: JobId, restarts = 0): Decision {
    return this.send({ type: 'epilog', at: this.now, jobId, restarts });
  }

  askCheckpoint(jobId: JobId): string {
    const requestId = this.#request();
    this.send({ type: 'ask-checkpoint', at: this.now, jobId, kind: null, requestId });
    return requestId;
  }

  askRestore(jobId: JobId, actionId: string | null = null): string {
    const requestId = this.#request();
    this.send({ type: 'ask-restore', at: this.now, jobId, actionId, requestId });
    return requestId;
  }

  #request(): string {
    const requestId = `request-${this.requests.length + 1}`;
    this.requests.push(requestId);
    return requestId;
  }

  // ---- time and outcomes

  /** Time passes, with the ticks that `decide` asks for. */
  pass(ms: Millis): void {
    const end = this.now + ms;
    while (this.wakeAt !== null && this.wakeAt <= end) {
      this.now = this.wakeAt;
      this.tick();
    }
    this.now = end;
  }

  /** Settles the only open effect of this kind (and job). */
  settle(kind: EffectKind, outcome: Outcome, jobId?: JobId): Decision {
    const effect = this.only(kind, jobId);
    return this.send({ type: 'settled', at: this.now, effect, outcome });
  }

  only<K extends EffectKind>(kind: K, jobId?: JobId): Extract<Effect, { kind: K }> {
    const [effect, ...others] = this.opened(kind, jobId);
    if (!effect || others.length > 0) {
      throw new Error(`not one open ${kind}, but: ${[...this.open.keys()].join(', ') || 'nothing'}`);
    }
    return effect;
  }

  opened<K extends EffectKind>(kind: K, jobId?: JobId): Extract<Effect, { kind: K }>[] {
    return [...this.open.values()].filter((e) => isOf(e, kind, jobId));
  }

  /** A checkpoint from the question to being ready, `tookMs` later. */
  checkpointReady(actionId: string, jobId?: JobId, tookMs: Millis = 10 * SECOND): void {
    this.settle('checkpoint', { type: 'accepted', actionId }, jobId);
    this.now += tookMs;
    this.settle('await-ready', { type: 'ready', readyAt: this.now }, jobId);
  }

  // ---- what to look at

  record(jobId: JobId): JobRecord {
    const record = this.state.jobs.get(jobId);
    if (!record) throw new Error(`there is no record of job ${jobId}`);
    return record;
  }

  step(jobId: JobId): string | null {
    return this.state.jobs.get(jobId)?.plan?.step ?? null;
  }

  kinds(): EffectKind[] {
    return [...this.open.values()].map(({ kind }) => kind);
  }

  noted(kind: NoteKind): Note[] {
    return this.notes.filter((note) => note.kind === kind);
  }

  asked<K extends EffectKind>(kind: K, jobId?: JobId): Extract<Effect, { kind: K }>[] {
    return this.sent.filter((e) => isOf(e, kind, jobId));
  }
}

function isOf<K extends EffectKind>(
  effect: Effect,
  kind: K,
  jobId: JobId | undefined,
): effect is Extract<Effect, { kind: K }> {
  return effect.kind === kind && (jobId === undefined || ('jobId' in effect && effect.jobId === jobId));
}

/** A scene with one running job that has a ready checkpoint `old`, taken 15 minutes into its run. */
export function sceneWithReady(policy: Policy = policyOf(), fields: Partial<JobFacts> = {}): Scene {
  const scene = new Scene(policy);
  scene.job(1, fields);
  scene.pass(15 * MINUTE);
  scene.checkpointReady('old', 1);
  return scene;
}
