import { expect } from 'vitest';
import { orderKeyOf } from '../../daemon/perform/perform.ts';
import { readDrainReason } from '../../daemon/vocabulary/drain-reason.ts';
import {
  type Effect,
  isNodeEffect,
  type NodeEffect,
  type RunEffect,
} from '../../daemon/vocabulary/effect.ts';
import type { EpochMs, JobFacts, JobId } from '../../daemon/vocabulary/job.ts';
import type { Notice } from '../../daemon/vocabulary/notice.ts';
import type { Outcome } from '../../daemon/vocabulary/outcome.ts';
import type { Policy } from '../../daemon/vocabulary/policy.ts';
import { ENDED_STATES } from '../../daemon/vocabulary/slurm-states.ts';
import { factsOf, NODE, Scene, SECOND, T0 } from './scene.ts';

/** How the outside answers, where it has a choice. */
export type Luck = 'well' | 'no' | 'nobody' | 'nothing-there';

/**
 * Slurm and the API as the daemon meets them: jobs that have a truth of their own, which the daemon hears of only
 * when it is told, and effects that are performed against that truth as the performers do it: those of one job that
 * change its run one after the other, and a look at the run (which is an event, too) before anything is done to it.
 */
export class World {
  readonly scene: Scene;
  readonly truth = new Map<JobId, JobFacts>();
  /** Runs that were brought back elsewhere: `<id>.<restarts>.<submitted>`. */
  readonly restored: string[] = [];
  /** What each job's own user wants of `Requeue`. */
  readonly wishes = new Map<JobId, boolean>();
  /** Each restore, and whose job had the id when it was asked for. */
  readonly restoresAsked: { effect: Extract<Effect, { kind: 'restore' }>; owner: string }[] = [];
  begun = 0;
  /** The reason of this node's drain in Slurm, and those that ckptd set. */
  drain: string | null = null;
  readonly drainsSet: string[] = [];
  /** Which of the jobs that had an id an effect is for: ids do not come back while something is done to a run. */
  readonly #meant = new Map<string, number | undefined>();
  readonly #begunAs = new Map<EpochMs, number>();
  /** Whose each of them is, by the name that it began with. */
  readonly #owners = new Map<number | undefined, string>();
  #renamed = 0;
  setBack = 0;
  readonly #standing = new Map<string, readonly Notice[]>();
  #submitted = 0;
  #actions = 0;

  constructor(policy: Policy) {
    this.scene = new Scene(policy);
    // Half a millisecond off every grid: nothing falls due between an event and its repetition.
    this.scene.now += 0.5;
    this.scene.onEffect = (effect) => {
      if (isNodeEffect(effect)) {
        if (effect.kind === 'undrain-node') expect(this.drainsSet).toContain(effect.reason);
        return;
      }
      const facts = this.scene.state.jobs.get(effect.jobId)?.facts;
      this.#meant.set(effect.id, this.#begunAs.get(facts?.submitAt ?? 0));
      if (effect.kind !== 'restore') return;
      this.restoresAsked.push({ effect, owner: this.#ownerOf(facts) });
    };
  }

  static run({ jobId, restarts, submitAt }: JobFacts): string {
    return `${jobId}.${restarts}.${submitAt}`;
  }

  #fact(jobId: JobId, fields: Partial<JobFacts>): void {
    this.truth.set(jobId, { ...this.truth.get(jobId)!, ...fields });
  }

  #ownerOf(facts: JobFacts | null | undefined): string {
    return this.#owners.get(this.#begunAs.get(facts?.submitAt ?? 0)) ?? 'nobody';
  }

  #fresh(): EpochMs {
    return T0 + ++this.#submitted;
  }

  // ---- what happens to jobs

  /** A job begins under this id, whoever had it before. */
  begin(jobId: JobId, fields: Partial<JobFacts>): void {
    const now = this.scene.now;
    this.begun++;
    this.wishes.set(jobId, fields.requeue ?? true);
    const submitAt = this.#fresh();
    this.#begunAs.set(submitAt, this.begun);
    const facts = factsOf(jobId, { startAt: now, submitAt, ...fields });
    this.#owners.set(this.begun, `${facts.uid} ${facts.name}`);
    this.truth.set(jobId, facts);
  }

  /** Its user gives it another name, one that no other job has: an id that came back is known by that. */
  rename(jobId: JobId): void {
    const facts = this.truth.get(jobId);
    if (facts && !ENDED_STATES.has(facts.state)) this.#fact(jobId, { name: `renamed ${++this.#renamed}` });
  }

  set(jobId: JobId, state: string): void {
    const facts = this.truth.get(jobId);
    if (facts && !ENDED_STATES.has(facts.state) && facts.state !== 'PENDING') this.#fact(jobId, { state });
  }

  requeue(jobId: JobId): void {
    const facts = this.truth.get(jobId);
    if (!facts?.requeue || facts.state !== 'RUNNING') return;
    const next = { state: 'PENDING', restarts: facts.restarts + 1, submitAt: this.#fresh() };
    this.#begunAs.set(next.submitAt, this.#begunAs.get(facts.submitAt)!);
    this.#fact(jobId, { ...next, nodes: [], batchHost: null, startAt: null });
  }

  /** A pending job starts here. */
  start(jobId: JobId): void {
    if (this.truth.get(jobId)?.state !== 'PENDING') return;
    this.#fact(jobId, { state: 'RUNNING', nodes: [NODE], batchHost: NODE, startAt: this.scene.now });
  }

  report(jobId: JobId): void {
    const facts = this.truth.get(jobId);
    if (facts) this.scene.send({ type: 'job', at: this.scene.now, facts });
  }

  // ---- what is said of this node

  /** A source says all that stands: the daemon hears of it at once. */
  tell(source: string, standing: readonly Notice[]): void {
    this.#standing.set(source, standing);
    this.scene.notices(source, ...standing);
  }

  standing(source: string): readonly Notice[] {
    return this.#standing.get(source) ?? [];
  }

  /** Nobody says any more that the node goes away. */
  takeBackNotices(): void {
    for (const source of this.#standing.keys()) this.tell(source, []);
    for (const { notice } of this.scene.state.notices.values()) this.scene.askWithdraw(notice.id);
  }

  // ---- what happens to effects

  /** Performs one of the open effects that may be performed now. */
  perform(which: number, luck: Luck): void {
    const ready = this.performable();
    const effect = ready[which % Math.max(1, ready.length)];
    if (effect) this.settle(effect, luck);
  }

  performable(): Effect[] {
    const lanes = new Set<JobId | 'node'>();
    return [...this.scene.open.values()].filter((effect) => {
      const lane = orderKeyOf(effect);
      if (lane === null) return true;
      if (lanes.has(lane)) return false;
      lanes.add(lane);
      return true;
    });
  }

  settle(effect: Effect, luck: Luck): void {
    // Nobody answers: giving the flag back is tried again until somebody does.
    if (effect.kind === 'guard' && effect.requeue && luck === 'nobody') return;
    if (isNodeEffect(effect) && luck === 'nobody') return;
    const outcome = isNodeEffect(effect) ? this.#onNode(effect, luck) : this.#outcome(effect, luck);
    this.scene.send({ type: 'settled', at: this.scene.now, effect, outcome });
  }

  /** Slurm's side of the node's own drain, looked at before anything is done. */
  #onNode({ kind, id, reason }: NodeEffect, luck: Luck): Outcome {
    const recalled = this.scene.recalled.includes(id);
    const message = luck;
    const ours = this.drain !== null && readDrainReason(this.drain) !== null;
    if (kind === 'drain-node') {
      if (this.drain !== null && !ours) return { type: 'left-alone', message };
      if (this.drain === null && recalled && luck !== 'well') return { type: 'recalled' };
      if (this.drain === null && luck === 'no') return { type: 'refused', status: 0, message };
      this.drain = reason;
      this.drainsSet.push(reason);
      return { type: 'done' };
    }
    if (this.drain === null) return { type: 'done' };
    if (this.drain !== reason) return { type: 'left-alone', message };
    if (recalled && luck !== 'well') return { type: 'recalled' };
    this.drain = null;
    return { type: 'done' };
  }

  #outcome(effect: RunEffect, luck: Luck): Outcome {
    const message = luck;
    const facts = this.truth.get(effect.jobId);
    const same = this.#isMeant(effect);
    const recalled = this.scene.recalled.includes(effect.id);
    if (luck === 'nobody') {
      return recalled && effect.kind !== 'checkpoint'
        ? { type: 'recalled' }
        : { type: 'unavailable', message };
    }
    switch (effect.kind) {
      case 'checkpoint': {
        const stale = this.#look(effect, ['RUNNING']);
        if (stale) return stale;
        if (luck === 'nothing-there') return { type: 'not-checkpointable', message };
        if (luck === 'no') return { type: 'refused', status: 400, message };
        return { type: 'accepted', actionId: `${++this.#actions} of ${this.#ownerOf(facts)}` };
      }
      case 'await-ready':
        if (luck !== 'well') return { type: 'refused', status: 200, message };
        return { type: 'ready', readyAt: this.scene.now };
      case 'guard':
        if (recalled && luck === 'no') return { type: 'recalled' };
        if (!same || facts === undefined || ENDED_STATES.has(facts.state))
          return this.#look(effect, []) as Outcome;
        this.#fact(effect.jobId, { requeue: effect.requeue });
        return { type: 'done' };
      case 'restore': {
        const stale = this.#look(effect, ['RUNNING', 'NODE_FAIL']);
        if (stale) return stale;
        if (recalled && luck !== 'well') return { type: 'recalled' };
        if (luck !== 'well') return { type: 'refused', status: 500, message };
        this.restored.push(World.run(facts!));
        if (!effect.newJob) this.requeue(effect.jobId);
        return { type: 'restored', actionId: `${++this.#actions} new` };
      }
      case 'end-source':
        if (luck === 'no') return { type: 'refused', status: 0, message };
        if (same && facts && !ENDED_STATES.has(facts.state)) this.#fact(effect.jobId, { state: 'CANCELLED' });
        return { type: 'done' };
    }
  }

  #isMeant({ id, jobId, restarts }: RunEffect): boolean {
    const facts = this.truth.get(jobId);
    const meant = this.#meant.get(id);
    return (
      facts?.restarts === restarts && (meant === undefined || meant === this.#begunAs.get(facts.submitAt))
    );
  }

  /** What Slurm says right before something is done is an event, and comes first. */
  #look(effect: RunEffect, states: readonly string[]): Outcome | null {
    const facts = this.truth.get(effect.jobId);
    this.report(effect.jobId);
    if (facts && this.#isMeant(effect) && states.includes(facts.state)) return null;
    return { type: 'stale', state: facts?.state ?? 'ABSENT', message: 'stale' };
  }

  /** Everything goes well from here on, for as long as there is something to do. */
  comeToRest(): void {
    for (let round = 0; round < 1_000; round++) {
      let [effect] = this.performable();
      if (!effect) {
        const doubted = this.scene.state.unconfirmed;
        if (!doubted || doubted.size === 0) return;
        // After a start, Slurm's word on a node is waited for so long.
        this.scene.now = Math.max(this.scene.now, ...doubted.values());
        this.scene.send({ type: 'tick', at: this.scene.now });
        [effect] = this.performable();
        if (!effect) return;
      }
      this.settle(effect, 'well');
      this.scene.now += SECOND;
    }
    throw new Error(`it does not come to rest: ${[...this.scene.open.keys()].join(', ')}`);
  }
}
