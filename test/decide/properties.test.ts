import { expect, test } from 'vitest';
import { decide } from '../../daemon/decide/decide.ts';
import { readDrainReason } from '../../daemon/vocabulary/drain-reason.ts';
import { isNodeEffect } from '../../daemon/vocabulary/effect.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';
import type { Policy } from '../../daemon/vocabulary/policy.ts';
import fc from '../support/properties.ts';
import { CRON, type Move, movesOf, play } from './moves.ts';
import { HOUR, heartbeatOf, MINUTE, policyOf, ruleOf } from './scene.ts';
import { World } from './world.ts';

const RUNS = { numRuns: Number(process.env['DECIDE_RUNS'] ?? '300') };

const policies: fc.Arbitrary<Policy> = fc
  .record({
    cron: fc.boolean(),
    sourceJob: fc.constantFrom('cancel' as const, 'leave' as const),
    finalCheckpoint: fc.boolean(),
    concurrency: fc.integer({ min: 1, max: 3 }),
    heartbeatConcurrency: fc.integer({ min: 1, max: 3 }),
    drainNode: fc.boolean(),
    dryRun: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  })
  .map(({ cron, heartbeatConcurrency, drainNode, ...restore }) => {
    const trigger = cron ? { cron: CRON } : { every: 10 * MINUTE };
    const heartbeat = heartbeatOf({ trigger, splay: 3 * MINUTE, minAge: MINUTE });
    const rules = [ruleOf({ match: { partition: 'debug' }, enabled: false }), ruleOf({ heartbeat })];
    return policyOf({ heartbeatConcurrency, drainNode, restore, rules });
  });

function forAll(check: (world: World, moves: Move[]) => void, moves = movesOf()): void {
  fc.assert(
    fc.property(policies, moves, (policy, list) => check(new World(policy), list)),
    RUNS,
  );
}

/** What must hold after every event, however it came to it. */
function checkNow(world: World): void {
  const { scene } = world;
  const jobs = [...scene.state.jobs.values()];
  const count = (wanted: (job: (typeof jobs)[number]) => boolean) => jobs.filter(wanted).length;
  expect(count(({ checkpoint }) => checkpoint?.reason === 'heartbeat')).toBeLessThanOrEqual(
    scene.policy.heartbeatConcurrency,
  );
  const { concurrency } = scene.policy.restore;
  const steps = (...wanted: string[]) => count(({ plan }) => wanted.includes(plan?.step ?? ''));
  expect(steps('guard', 'restore')).toBeLessThanOrEqual(concurrency);
  expect(steps('checkpoint')).toBeLessThanOrEqual(concurrency);
  checkDrain(world);
  for (const { plan, checkpoint } of jobs) {
    // A step that waits for something has it on its way: else nothing would ever move it.
    const id = plan && `${plan.step}:`;
    if (plan?.step === 'checkpoint') expect(checkpoint).not.toBeNull();
    if (id && ['guard:', 'restore:', 'end-source:'].includes(id)) {
      expect(
        [...scene.open.keys()].some((key) => key.startsWith(id) && key.endsWith(`:${plan.episode}`)),
      ).toBe(true);
    }
    if (checkpoint) expect(scene.open.has(checkpoint.effectId)).toBe(true);
  }
  const inFlight = [...scene.open.values()].filter(
    (effect) => effect.kind === 'checkpoint' || effect.kind === 'await-ready',
  );
  const runs = inFlight.map(({ jobId, restarts }) => `${jobId}.${restarts}`);
  const current = runs.filter((run) => jobs.some((job) => `${job.jobId}.${job.restarts}` === run));
  if (!reused(world)) {
    expect(new Set(current).size).toBe(current.length);
  }
}

/** The node's own drain: one thing is done to it at a time, and none in a dry run. */
function checkDrain({ scene }: World): void {
  const inFlight = [...scene.open.values()].filter(isNodeEffect);
  const { ownDrain } = scene.state;
  expect(inFlight.length).toBeLessThanOrEqual(1);
  const moving = ownDrain?.step === 'setting' || ownDrain?.step === 'lifting';
  expect(inFlight.map(({ id }) => id)).toEqual(moving ? [ownDrain.effectId] : []);
  if (!scene.policy.restore.dryRun) return;
  const kinds = new Set(scene.sent.map(({ kind }) => kind));
  expect([...kinds].filter((kind) => kind !== 'checkpoint' && kind !== 'await-ready')).toEqual([]);
}

/** Job ids came back: two jobs then have runs of the same name. */
function reused(world: World): boolean {
  return world.begun > world.truth.size;
}

test('whatever happens, in whatever order: what must hold at every moment does', () => {
  forAll((world, moves) => play(world, moves, () => checkNow(world)));
});

test('an event seen twice adds no effect', () => {
  forAll((world, moves) => {
    const { scene } = world;
    const send = scene.send.bind(scene);
    scene.send = (event: DaemonEvent) => {
      const decision = send(event);
      expect(decide(decision.state, event, scene.policy).effects).toEqual([]);
      return decision;
    };
    play(world, moves);
  });
});

test('an outcome, a tick or a slot that comes again later changes nothing', () => {
  forAll(
    (world, moves) => {
      const { scene } = world;
      const old: DaemonEvent[] = [];
      const send = scene.send.bind(scene);
      scene.send = (event: DaemonEvent) => {
        if (event.type === 'started') old.length = 0;
        for (const past of old) {
          const again = decide(scene.state, past, scene.policy);
          if (past.type === 'settled' || past.at <= scene.state.clock - 1_000) {
            expect(again.effects.filter(({ kind }) => kind !== 'checkpoint')).toEqual([]);
          }
          if (past.type !== 'settled' && past.at <= scene.state.clock - 1_000) {
            expect(again).toMatchObject({ effects: [], notes: [], state: { clock: scene.state.clock } });
            expect(again.state.jobs).toBe(scene.state.jobs);
          }
        }
        if (['settled', 'tick', 'slot'].includes(event.type) && old.length < 20) old.push(event);
        return send(event);
      };
      play(world, moves);
    },
    movesOf(3, 40),
  );
});

test('a run is restored once, and from a checkpoint of its own job', () => {
  forAll((world, moves) => {
    play(world, moves, () => expect(new Set(world.restored).size).toBe(world.restored.length));
    for (const { episodeId, actionId, owner } of restores(world)) {
      expect(actionId.endsWith(` of ${owner}`), `${episodeId} restores ${actionId}`).toBe(true);
    }
  });
});

function restores(world: World): { episodeId: string; actionId: string; owner: string }[] {
  return world.restoresAsked.map(({ effect, owner }) => ({
    episodeId: effect.id,
    actionId: effect.actionId,
    owner,
  }));
}

test('a node that stays drained is left by every job that runs on it, once', () => {
  forAll((world, moves) => {
    play(world, moves);
    leaveFor(world, 'resume');
    world.scene.now += HOUR;
    leaveFor(world, 'drain');
    const left = [...world.truth.values()].filter(({ state }) => state === 'RUNNING');
    for (const facts of left) {
      const record = world.scene.state.jobs.get(facts.jobId);
      const wanted = facts.partition !== 'debug' && !record?.override.off;
      const run = World.run(facts);
      if (wanted && !world.scene.policy.restore.dryRun) expect(world.restored).toContain(run);
    }
    expect(new Set(world.restored).size).toBe(world.restored.length);
  });
});

/** Slurm's word on all there is, then every effect to its good end, with the heartbeats of two hours. */
function leaveFor(world: World, how: 'resume' | 'drain'): void {
  const { scene } = world;
  const tell = () => {
    for (const node of ['n1', 'n2']) scene.node(how === 'drain' ? ['DRAIN'] : [], { node });
    if (how === 'resume') world.takeBackNotices();
    world.drain = how === 'drain' ? 'bad disk' : null;
    for (const jobId of world.truth.keys()) {
      world.set(jobId, 'RUNNING');
      world.report(jobId);
      world.report(jobId);
    }
  };
  tell();
  world.comeToRest();
  for (let i = 0; i < 8; i++) {
    scene.pass(15 * MINUTE);
    scene.slot(CRON);
    world.comeToRest();
  }
}

test("no drain of ours is left when no notice stands, and nobody else's is lifted", () => {
  forAll((world, moves) => {
    play(world, moves);
    const foreign = world.drain !== null && readDrainReason(world.drain) === null ? world.drain : null;
    world.takeBackNotices();
    world.comeToRest();
    world.scene.now += HOUR;
    world.scene.tick();
    world.comeToRest();
    expect(world.drain).toBe(foreign);
  });
});

test('a notice that stands: every run is restored, or said to be in danger or lost', () => {
  const ahead = fc.constantFrom(null, -MINUTE, 5_000, 30_000, 2 * MINUTE);
  fc.assert(
    fc.property(policies, movesOf(), ahead, movesOf(4, 30), (policy, list, ms, more) => {
      const world = new World(policy);
      const { scene } = world;
      play(world, list);
      leaveFor(world, 'resume');
      scene.now += HOUR;
      scene.terminate(ms, { id: 'last' });
      for (const jobId of world.truth.keys()) world.report(jobId);
      const runs = [...scene.state.jobs.values()].filter(
        ({ facts, override }) => facts?.state === 'RUNNING' && facts.partition !== 'debug' && !override.off,
      );
      // The API answers as it likes until the deadline is over, and then for long enough.
      for (const [kind, job, detail] of more) if (kind === 'perform') play(world, [[kind, job, detail]]);
      scene.pass(2 * MINUTE);
      world.comeToRest();
      scene.pass(HOUR);
      world.comeToRest();
      const told = new Set(
        [...scene.noted('job-in-danger'), ...scene.noted('job-lost'), ...scene.noted('dry-run')].map(
          ({ run }) => run,
        ),
      );
      for (const { jobId, restarts, facts } of runs) {
        const restored = world.restored.includes(World.run(facts!));
        expect({ jobId, heard: restored || told.has(`${jobId}.${restarts}`) }).toEqual({
          jobId,
          heard: true,
        });
      }
    }),
    RUNS,
  );
});

test('no guard is left on a job that stays', () => {
  forAll((world, moves) => {
    play(world, moves);
    const wished = new Map(world.wishes);
    leaveFor(world, 'resume');
    for (const facts of world.truth.values()) {
      if (facts.state !== 'RUNNING' && facts.state !== 'PENDING') continue;
      if (world.restored.includes(World.run(facts))) continue;
      expect({ job: facts.jobId, requeue: facts.requeue }).toEqual({
        job: facts.jobId,
        requeue: wished.get(facts.jobId),
      });
    }
  });
});

test('every request by hand is answered, once', () => {
  forAll((world, moves) => {
    play(world, moves);
    leaveFor(world, 'resume');
    const answered = world.scene.replies.map(({ requestId }) => requestId);
    expect(answered.toSorted()).toEqual(world.scene.requests.toSorted());
  });
});

test('nothing is left of jobs that ended', () => {
  forAll((world, moves) => {
    play(world, moves);
    for (const jobId of world.truth.keys()) {
      world.set(jobId, 'COMPLETED');
      world.report(jobId);
    }
    for (const jobId of world.scene.state.jobs.keys()) {
      if (world.truth.get(jobId)?.state === 'PENDING') continue;
      world.scene.send({ type: 'job-absent', at: world.scene.now, jobId });
    }
    world.comeToRest();
    expect([...world.scene.state.jobs.keys()]).toEqual([]);
  });
});

test('events that arrive together lead to the same restores in any order', () => {
  const jobs = [1, 2, 3, 4, 5];
  const events = jobs.flatMap((job) => [['begin', job] as const, ['prolog', job] as const]);
  const all = [...events, ['node', 0] as const];
  const order = fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
  fc.assert(
    fc.property(
      policies,
      order,
      fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }),
      (policy, list, wishes) => {
        const world = new World(policy);
        for (const jobId of jobs)
          world.begin(jobId, { partition: jobId === 3 ? 'debug' : 'main', cpus: jobId });
        for (const [kind, jobId] of list) {
          if (kind === 'node') world.scene.drain();
          else if (kind === 'begin') world.report(jobId);
          else {
            const override = wishes[jobId] === 0 ? { off: true } : {};
            world.scene.send({ type: 'prolog', at: world.scene.now, jobId, restarts: 0, override });
          }
        }
        world.scene.now += MINUTE;
        world.comeToRest();
        const restored = new Set(world.restored.map((run) => Number(run.split('.')[0])));
        const final = policy.restore.finalCheckpoint;
        expect([...restored].toSorted()).toEqual(
          final && !policy.restore.dryRun ? jobs.filter((id) => id !== 3 && wishes[id] !== 0) : [],
        );
      },
    ),
    RUNS,
  );
});
