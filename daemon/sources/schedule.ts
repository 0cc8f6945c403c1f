import { type ScheduledTask, schedule } from 'node-cron';
import type { Clock, Log } from '../system/ports.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type { EpochMs, Millis } from '../vocabulary/job.ts';

/** A slot still counts if the event loop is late by less than this. node-cron's own default is 1 s. */
const TOLERANCE_MS: Millis = 30_000;
/** How often to check whether the host's clock was set back. */
const RECHECK_MS: Millis = 60_000;

export interface Schedules extends Disposable {
  /** Fires these cron lines from now on, and no others. */
  set(lines: readonly string[]): void;
}

/** Turns cron lines into `slot` events, in the host's time zone, by node-cron. */
export function watchSchedules(ports: {
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: DaemonEvent) => void;
}): Schedules {
  const tasks = new Map<string, CronLine>();
  const recheck = setInterval(() => {
    for (const task of tasks.values()) task.rearmIfSetBack();
  }, RECHECK_MS);

  return {
    set(lines) {
      for (const [line, task] of tasks) {
        if (lines.includes(line)) continue;
        task.stop();
        tasks.delete(line);
      }
      for (const line of lines) {
        if (tasks.has(line)) continue;
        const fire = () => ports.emit({ type: 'slot', at: ports.clock.now(), schedule: line });
        tasks.set(line, cronLine(line, fire, ports.log));
      }
    },
    [Symbol.dispose]() {
      clearInterval(recheck);
      for (const task of tasks.values()) task.stop();
      tasks.clear();
    },
  };
}

interface CronLine {
  rearmIfSetBack(): void;
  stop(): void;
}

/**
 * node-cron waits for the time that it computed last. If the host's clock is set back by an hour, nothing fires for an
 * hour. So the task is restarted when its next time lies before the one that it waits for.
 */
function cronLine(line: string, fire: () => void, log: Log): CronLine {
  let expected: EpochMs = Number.POSITIVE_INFINITY;
  const next = (): EpochMs => task.getNextRun()?.getTime() ?? Number.POSITIVE_INFINITY;
  const task: ScheduledTask = schedule(
    line,
    () => {
      expected = next();
      fire();
    },
    { missedExecutionTolerance: TOLERANCE_MS, suppressMissedWarning: true },
  );
  task.on('execution:missed', ({ date }) => {
    expected = next();
    log.warn(
      { schedule: line, slot: date.toISOString() },
      'a heartbeat slot was missed: the daemon was asleep or too busy',
    );
  });
  expected = next();
  return {
    rearmIfSetBack() {
      if (next() >= expected) return;
      log.warn({ schedule: line }, 'the clock was set back: the schedule is restarted');
      void task.stop();
      void task.start();
      expected = next();
    },
    stop: () => void task.destroy(),
  };
}
