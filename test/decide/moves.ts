import fc from 'fast-check';
import { HOUR, MINUTE, noticeOf, SECOND } from './scene.ts';
import type { World } from './world.ts';

/** Something that happens, as data: what shrinks well reads well. */
export type Move = readonly [kind: keyof typeof MOVES, job: number, detail: number];

export const CRON = '*/10 * * * *';
const NODES = ['n1', 'n2'];
const FLAGS = [
  ['DRAIN'],
  [],
  ['POWERING_DOWN'],
  [],
  ['DRAIN', 'NOT_RESPONDING'],
  ['REBOOT_REQUESTED'],
  ['DRAIN'],
];
const REASONS = [
  'bad disk',
  'ckptd: termination notice ec2/spot, no deadline',
  'ckptd: termination notice gcp/preempted, deadline 2027-01-15T08:01:00Z',
];
const SOURCES = ['ec2/spot', 'file', 'azure/scheduled'];
const ENDS = ['COMPLETED', 'CANCELLED', 'NODE_FAIL', 'FAILED'];
const STATES = ['SUSPENDED', 'RUNNING', 'COMPLETING', 'RUNNING'];
const LUCK = ['well', 'well', 'well', 'nobody', 'no', 'nothing-there'] as const;
const OVERRIDES = [{}, { every: 7 * MINUTE }, { off: true }, { kind: 'rootfs' as const }];

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

export const MOVES = {
  begin(world: World, job: number, n: number) {
    const facts = world.truth.get(job);
    if (facts && !ENDS.includes(facts.state)) return world.report(job);
    const nodes = n % 3 === 0 ? ['n1', 'n2'] : ['n1'];
    const who = n % 5 === 0 ? { uid: 1001, user: 'bob' } : n % 5 === 1 ? { name: 'other' } : {};
    world.begin(job, {
      nodes,
      cpus: 1 + (n % 8),
      requeue: n % 4 !== 0,
      partition: n % 7 === 0 ? 'debug' : 'main',
      ...who,
    });
    if (n % 2 === 0) world.report(job);
  },
  report: (world: World, job: number) => world.report(job),
  state: (world: World, job: number, n: number) => world.set(job, pick(STATES, n)),
  end: (world: World, job: number, n: number) => world.set(job, pick(ENDS, n)),
  absent(world: World, job: number) {
    const facts = world.truth.get(job);
    if (facts && ENDS.includes(facts.state)) {
      world.scene.send({ type: 'job-absent', at: world.scene.now, jobId: job });
    }
  },
  requeue: (world: World, job: number) => world.requeue(job),
  rename: (world: World, job: number) => world.rename(job),
  start: (world: World, job: number) => world.start(job),
  prolog(world: World, job: number, n: number) {
    const facts = world.truth.get(job);
    if (facts?.state !== 'RUNNING') return;
    world.scene.send({
      type: 'prolog',
      at: world.scene.now,
      jobId: job,
      restarts: facts.restarts,
      override: pick(OVERRIDES, n),
    });
  },
  epilog(world: World, job: number) {
    const facts = world.truth.get(job);
    if (facts && facts.state !== 'RUNNING' && facts.state !== 'SUSPENDED')
      world.scene.epilog(job, facts.restarts);
  },
  node(world: World, job: number, n: number) {
    const flags = pick(FLAGS, n);
    const node = pick(NODES, job);
    const reason = node === 'n2' ? pick(REASONS, n) : 'bad disk';
    // An administrator's word goes over whatever was there.
    if (node === 'n1') world.drain = flags.includes('DRAIN') ? reason : null;
    world.scene.node(flags, { node, reason });
  },
  /** What Slurm says of this node's drain, if nobody has touched it since. */
  look: (world: World) =>
    world.scene.node(world.drain === null ? [] : ['DRAIN'], { reason: world.drain ?? 'stale' }),
  notice(world: World, job: number, n: number) {
    const source = pick(SOURCES, job);
    if (n % 3 === 0) return world.tell(source, []);
    const { now } = world.scene;
    const ahead = pick([null, 30 * SECOND, 2 * MINUTE, -MINUTE, HOUR], n);
    world.tell(source, [
      ...world.standing(source),
      noticeOf({
        id: `${source}#${n % 7}`,
        source,
        kind: n % 4 === 0 ? 'rebalance' : 'termination',
        deadline: ahead === null ? null : now + ahead,
        dryRun: n % 5 === 0,
      }),
    ]);
  },
  askNotice(world: World, job: number, n: number) {
    const deadline = n % 2 === 0 ? null : world.scene.now + (n - 20) * MINUTE;
    world.scene.askNotice({ id: `socket#${job}`, deadline, dryRun: n % 5 === 0 });
  },
  heard: (world: World) =>
    world.scene.send({ type: 'notices-heard', at: world.scene.now, bootedAt: world.scene.now - HOUR }),
  askWithdraw: (world: World, job: number) => world.scene.askWithdraw(`socket#${job}`),
  perform: (world: World, job: number, n: number) => world.perform(job, pick(LUCK, n)),
  pass: (world: World, _job: number, n: number) => world.scene.pass(n * 20 * SECOND),
  jump(world: World, _job: number, n: number) {
    world.scene.now += n * MINUTE;
    world.scene.tick();
  },
  slot: (world: World) => world.scene.slot(CRON),
  started(world: World, _job: number, n: number) {
    // Not to the very same moment: of all times only due times come back exactly.
    if (n % 4 === 0) world.scene.now -= HOUR + ++world.setBack / 64;
    if (n % 2 === 0) world.scene.restart();
    else world.scene.started();
  },
  askCheckpoint: (world: World, job: number) => world.scene.askCheckpoint(job),
  askRestore: (world: World, job: number) => world.scene.askRestore(job),
} as const;

const WEIGHTS: Partial<Record<keyof typeof MOVES, number>> = {
  perform: 12,
  report: 4,
  begin: 4,
  node: 3,
  notice: 3,
  pass: 3,
};

export const movesOf = (jobs = 4, maxLength = 60): fc.Arbitrary<Move[]> =>
  fc.array(
    fc.tuple(
      fc.oneof(
        ...Object.keys(MOVES).map((kind) => ({
          weight: WEIGHTS[kind as keyof typeof MOVES] ?? 1,
          arbitrary: fc.constant(kind as keyof typeof MOVES),
        })),
      ),
      fc.integer({ min: 1, max: jobs }),
      fc.integer({ min: 0, max: 100 }),
    ),
    { maxLength, size: 'max' },
  );

export function play(world: World, moves: readonly Move[], after: () => void = () => undefined): void {
  for (const [kind, job, detail] of moves) {
    MOVES[kind](world, job, detail);
    after();
  }
}
