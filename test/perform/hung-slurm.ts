import { EMPTY_STATE } from '../../daemon/decide/decide.ts';
import type { Journal } from '../../daemon/journal/journal.ts';
import { createOutbox } from '../../daemon/perform/outbox.ts';
import { slurmActions } from '../../daemon/perform/slurm/slurm-actions.ts';
import { createLoop } from '../../daemon/run/loop.ts';
import { circuitBreaker } from '../../daemon/slurm/circuit-breaker.ts';
import { slurmCommands } from '../../daemon/slurm/commands.ts';
import { jobQuery } from '../../daemon/slurm/query-job.ts';
import type { Command, CommandResult, Exec } from '../../daemon/system/ports.ts';
import { CommandQueue } from '../../daemon/system/process/command-queue.ts';
import type { Note } from '../../daemon/vocabulary/decision.ts';
import type { EpochMs, Millis } from '../../daemon/vocabulary/job.ts';
import type { Policy } from '../../daemon/vocabulary/policy.ts';
import type { State } from '../../daemon/vocabulary/state.ts';
import { ManualClock } from '../support/clock.ts';

/** Slurm's commands while slurmctld takes connections and says nothing: one of a kind, each to its timeout. */
export function hungExec(clock: ManualClock, started: Command[] = []): Exec {
  const queue = new CommandQueue(64);
  const failed = (why: 'timeout' | 'aborted'): CommandResult => ({
    ok: false,
    why,
    exitCode: null,
    stdout: Buffer.alloc(0),
    stderr: '',
    message: why,
  });
  return {
    async run(command, signal) {
      if ((await queue.enter(command.kind, signal)) !== 'go') return failed('aborted');
      started.push(command);
      const ended = clock.sleep(command.timeoutMs, signal).then(
        () => failed('timeout'),
        () => failed('aborted'),
      );
      return ended.finally(() => queue.leave(command.kind));
    },
  };
}

/** The loop and the performers over a Slurm that hangs and an API that answers at once, on a clock of the test's. */
export function beforeHungSlurm(policy: Policy, state: Partial<State> = {}) {
  const clock = new ManualClock();
  const exec = hungExec(clock);
  const slurm = slurmCommands('/usr/bin');
  const look = circuitBreaker(jobQuery(exec, slurm), clock, 0.5);
  const restores: { readonly actionId: string; readonly at: EpochMs }[] = [];
  const notes: Note[] = [];
  let wakeAt: EpochMs | null = null;
  const log = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
  const outbox = createOutbox({
    clusterId: 'cluster',
    clock,
    log,
    random: () => 0.5,
    signal: new AbortController().signal,
    markSent() {},
    emit: (event) => loop.handle(event),
    slurm: slurmActions({ clock, exec, slurm, look }, () => null),
    api: {
      checkpoint: async () => ({ type: 'accepted', actionId: 'final' }),
      awaitReady: (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', reject)),
      async restoreOnce({ actionId }) {
        restores.push({ actionId, at: clock.now() });
        return { type: 'accepted', actionId: `new ${actionId}` };
      },
    },
  });
  const journal = {
    commit: ({ effects }: { effects: unknown }) => ({ fresh: effects }),
  } as unknown as Journal;
  const loop = createLoop({ ...EMPTY_STATE, ...state }, policy, {
    journal,
    outbox,
    log,
    onNote: (note) => notes.push(note),
    onReply() {},
    wake(at) {
      wakeAt = at;
    },
  });

  /** Lets time pass from one thing that falls due to the next. */
  async function pass(ms: Millis): Promise<void> {
    const end = clock.now() + ms;
    for (;;) {
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      const next = Math.min(clock.nextAt(), wakeAt ?? Number.POSITIVE_INFINITY);
      if (next > end) break;
      clock.advance(Math.max(0, next - clock.now()));
      if (wakeAt !== null && wakeAt <= clock.now()) loop.handle({ type: 'tick', at: clock.now() });
    }
    clock.advance(end - clock.now());
  }

  return { loop, clock, outbox, restores, notes, pass };
}
