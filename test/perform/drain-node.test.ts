import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOutbox } from '../../daemon/perform/outbox.ts';
import { perform } from '../../daemon/perform/perform.ts';
import { slurmActions } from '../../daemon/perform/slurm/slurm-actions.ts';
import { slurmCommands } from '../../daemon/slurm/commands.ts';
import { jobQuery } from '../../daemon/slurm/query-job.ts';
import type { CommandResult, Exec } from '../../daemon/system/ports.ts';
import { systemExec } from '../../daemon/system/process/exec.ts';
import type { Effect, NodeEffect } from '../../daemon/vocabulary/effect.ts';
import type { Outcome } from '../../daemon/vocabulary/outcome.ts';
import { type FakeSlurm, fakeSlurm } from '../support/fake-slurm/fake-slurm.ts';
import { performance, scripted } from './ports.ts';

const REASON = 'ckptd: termination notice ec2/spot, deadline 2026-09-18T08:22:00Z';
const OLDER = 'ckptd: termination notice azure/scheduled, no deadline';
const DRAIN: NodeEffect = { kind: 'drain-node', id: 'drain-node:n1:1', node: 'n1', reason: REASON };
const UNDRAIN: NodeEffect = { kind: 'undrain-node', id: 'undrain-node:n1:2', node: 'n1', reason: REASON };

let fake: FakeSlurm;
beforeEach(async () => {
  fake = await fakeSlurm();
  await fake.setNode('n1', 'mixed');
});
afterEach(() => fake[Symbol.asyncDispose]());

/** The real commands on a Slurm of files; `onSleep` happens in the pause after a failure. */
function rig({
  onSleep = async () => {},
  before = async () => {},
}: Partial<Record<'onSleep' | 'before', () => Promise<void>>> = {}) {
  const real = systemExec();
  const exec: Exec = {
    async run(command, abort): Promise<CommandResult> {
      if (command.kind === 'scontrol-drain') await before();
      return real.run(command, abort);
    },
  };
  const slurm = slurmCommands(fake.bin, 5_000);
  const { ports, slept, events } = scripted({});
  const clock = {
    ...ports.clock,
    async sleep(ms: number, signal?: AbortSignal) {
      await ports.clock.sleep(ms, signal);
      await onSleep();
    },
  };
  return {
    ports: {
      ...ports,
      clock,
      slurm: slurmActions({ clock, exec, slurm, look: jobQuery(exec, slurm) }, () => null),
    },
    slept,
    events,
  };
}

const updates = async () => (await fake.calls('scontrol')).map((call) => call.slice(1));
const nodeNow = async () => {
  const answer = await rig().ports.slurm.queryNode('n1', new AbortController().signal);
  if (answer.type !== 'node') throw new Error('no node');
  const { base, flags, reason } = answer.facts;
  return [[base, ...flags].join('+'), reason];
};

describe('draining', () => {
  test('sets the drain with its reason, and looks at it after', async () => {
    const { p, marks } = performance(DRAIN);
    expect(await perform(rig().ports, p)).toEqual({ type: 'done' });
    expect(await updates()).toEqual([['update', 'nodename=n1', 'state=drain', `reason=${REASON}`]]);
    expect(await nodeNow()).toEqual(['MIXED+DRAIN', REASON]);
    expect(marks).toEqual([DRAIN.id]);
    expect((await fake.calls('sinfo')).length).toBe(3);
  });

  test('tells no event: the watch of the nodes tells what differs from its own last word', async () => {
    const { ports, events } = rig();
    await perform(ports, performance(DRAIN).p);
    expect(events).toEqual([]);
  });

  test('again, by a process that was killed: done, and set once', async () => {
    await perform(rig().ports, performance(DRAIN).p);
    expect(await perform(rig().ports, performance(DRAIN, { sentBefore: 9_000 }).p)).toEqual({ type: 'done' });
    expect(await updates()).toHaveLength(1);
  });

  test.each([
    ['mixed+drain', 'disk'],
    ['idle+drain+reboot_requested', 'Reboot ASAP'],
    ['mixed+fail', ''],
    ['mixed+drain', `my ${REASON}`],
  ])("somebody else's %s (%s) is left alone", async (state, reason) => {
    await fake.setNode('n1', state, reason);
    expect(await perform(rig().ports, performance(DRAIN).p)).toMatchObject({ type: 'left-alone' });
    expect(await updates()).toEqual([]);
  });

  test('an older one of ours gets the new reason', async () => {
    await fake.setNode('n1', 'mixed+drain', OLDER);
    expect(await perform(rig().ports, performance(DRAIN).p)).toEqual({ type: 'done' });
    expect(await nodeNow()).toEqual(['MIXED+DRAIN', REASON]);
  });

  test('a stale reason without the flag is no drain', async () => {
    await fake.setNode('n1', 'mixed', REASON);
    expect(await perform(rig().ports, performance(DRAIN).p)).toEqual({ type: 'done' });
    expect(await updates()).toHaveLength(1);
  });

  test('is tried again for as long as slurmctld is away, and less and less often', async () => {
    await fake.setMode('away');
    let pauses = 0;
    const { ports, slept } = rig({
      onSleep: async () => {
        if (++pauses === 8) await fake.setMode('well');
      },
    });
    expect(await perform(ports, performance(DRAIN).p)).toEqual({ type: 'done' });
    expect(slept).toHaveLength(8);
    expect(slept[7]!).toBeGreaterThan(slept[0]!);
    expect(Math.max(...slept)).toBeLessThanOrEqual(15_000);
    expect(await nodeNow()).toEqual(['MIXED+DRAIN', REASON]);
  });

  test('an answer that is lost is looked into: set once', async () => {
    await fake.setMode('deaf', 'scontrol');
    const { ports, slept } = rig();
    expect(await perform(ports, performance(DRAIN).p)).toEqual({ type: 'done' });
    expect(await updates()).toHaveLength(1);
    expect(slept).toHaveLength(1);
  });

  test('garbage and silence are no answers', async () => {
    for (const mode of ['garbage', 'silent'] as const) {
      await fake.setNode('n1', 'mixed');
      await fake.setMode(mode, 'sinfo');
      const { ports } = rig({ onSleep: () => fake.setMode('well', 'sinfo') });
      const outcome = await perform(ports, performance(DRAIN).p);
      // sinfo is silent about a node that Slurm does not know.
      expect(outcome.type).toBe(mode === 'garbage' ? 'done' : 'refused');
      await fake.setMode('well', 'sinfo');
    }
  });

  test('what Slurm takes and never shows is refused after some tries', async () => {
    const { ports } = rig();
    const taken: string[] = [];
    const deaf = {
      ...ports.slurm,
      drainNode: async (node: string): Promise<Outcome> => {
        taken.push(node);
        return { type: 'done' };
      },
    };
    expect(await perform({ ...ports, slurm: deaf }, performance(DRAIN).p)).toMatchObject({ type: 'refused' });
    expect(taken).toHaveLength(5);
  });

  test('what slurmctld refuses for good is an outcome', async () => {
    const { ports } = rig();
    const no: Outcome = { type: 'refused', status: 0, message: 'Invalid user id' };
    const slurm = { ...ports.slurm, drainNode: async () => no };
    expect(await perform({ ...ports, slurm }, performance(DRAIN).p)).toEqual(no);
  });

  test('a node that Slurm does not know is refused', async () => {
    expect(await perform(rig().ports, performance({ ...DRAIN, node: 'n9' }).p)).toMatchObject({
      type: 'refused',
    });
  });

  test('recalled: not set; but one that was set already is done, whoever of ours set it', async () => {
    const recalled = () => {
      const { p, recall } = performance(DRAIN);
      recall.abort();
      return p;
    };
    expect(await perform(rig().ports, recalled())).toEqual({ type: 'recalled' });
    expect(await updates()).toEqual([]);
    await fake.setNode('n1', 'mixed+drain', OLDER);
    expect(await perform(rig().ports, recalled())).toEqual({ type: 'done' });
    expect(await perform(rig().ports, recalled())).toEqual({ type: 'done' });
    expect(await updates()).toHaveLength(1);
  });

  test('an administrator who drains between the look and the command: theirs is seen only after', async () => {
    // Slurm has no compare-and-set; the reason that stands is ours, and ours it is to be lifted.
    const { ports } = rig({ before: () => fake.setNode('n1', 'mixed+drain', 'disk') });
    expect(await perform(ports, performance(DRAIN).p)).toEqual({ type: 'done' });
    expect(await nodeNow()).toEqual(['MIXED+DRAIN', REASON]);
  });
});

describe('lifting', () => {
  test('only the drain with exactly our reason, by `undrain`', async () => {
    await fake.setNode('n1', 'mixed+drain', REASON);
    expect(await perform(rig().ports, performance(UNDRAIN).p)).toEqual({ type: 'done' });
    expect(await updates()).toEqual([['update', 'nodename=n1', 'state=undrain']]);
    expect((await nodeNow())[0]).toBe('MIXED');
  });

  test.each([OLDER, 'disk', `${REASON} `, REASON.toUpperCase(), ''])(
    'not the one with reason "%s"',
    async (reason) => {
      await fake.setNode('n1', 'mixed+drain', reason);
      expect(await perform(rig().ports, performance(UNDRAIN).p)).toMatchObject({ type: 'left-alone' });
      expect(await updates()).toEqual([]);
      expect((await nodeNow())[0]).toBe('MIXED+DRAIN');
    },
  );

  test('one that is gone already is lifted', async () => {
    expect(await perform(rig().ports, performance(UNDRAIN).p)).toEqual({ type: 'done' });
    expect(await updates()).toEqual([]);
  });

  test('a lost answer is looked into, and slurmctld may be away for long', async () => {
    await fake.setNode('n1', 'mixed+drain', REASON);
    await fake.setMode('away');
    let pauses = 0;
    const { ports } = rig({
      onSleep: async () => {
        pauses++;
        if (pauses === 3) await fake.setMode('well');
        if (pauses === 3) await fake.setMode('deaf', 'scontrol');
      },
    });
    expect(await perform(ports, performance(UNDRAIN).p)).toEqual({ type: 'done' });
    expect(await updates()).toHaveLength(1);
  });

  test('recalled before it was done: the drain stays', async () => {
    await fake.setNode('n1', 'mixed+drain', REASON);
    const { p, recall } = performance(UNDRAIN);
    recall.abort();
    expect(await perform(rig().ports, p)).toEqual({ type: 'recalled' });
    expect((await nodeNow())[0]).toBe('MIXED+DRAIN');
  });
});

test('what is done to the node is done in order, and not behind what is done to jobs', async () => {
  const { ports } = rig();
  const order: string[] = [];
  const first = Promise.withResolvers<Outcome>();
  const { signal } = new AbortController();
  const settled: Effect[] = [];
  const both = Promise.withResolvers<void>();
  const outbox = createOutbox({
    ...ports,
    slurm: {
      ...ports.slurm,
      setRequeue: () => new Promise(() => {}),
      queryNode: async () => ({
        type: 'node',
        facts: {
          node: 'n1',
          base: 'MIXED',
          flags: order.includes('drain') ? ['DRAIN'] : [],
          reason: REASON,
        },
      }),
      drainNode: async () => {
        const outcome = await first.promise;
        order.push('drain');
        return outcome;
      },
      undrainNode: async () => {
        order.push('undrain');
        return { type: 'refused', status: 0, message: 'no' };
      },
    },
    emit: (event) => {
      if (event.type === 'settled') settled.push(event.effect);
      if (settled.length === 2) both.resolve();
    },
    signal,
    markSent: () => {},
  });
  outbox.take({ kind: 'guard', id: 'g', jobId: 1, restarts: 0, requeue: false, expiresAt: 1e15 }, null);
  outbox.take(DRAIN, null);
  outbox.take(UNDRAIN, null);
  first.resolve({ type: 'done' });
  await both.promise;
  expect(order).toEqual(['drain', 'undrain']);
  expect(settled.map(({ kind }) => kind)).toEqual(['drain-node', 'undrain-node']);
});
