import type { Clock } from '../../../system/ports.ts';
import { followLines } from '../../../system/process/follow-lines.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { inhibitingMonitor, readLine } from './logind-bus.ts';

/** Time for the monitor to show that it listens, and the pause between two queries that test it. */
const LISTENS_WITHIN: Millis = 10_000;
const ASK_AGAIN: Millis = 250;

export interface MonitorPorts {
  readonly clock: Clock;
  readonly bin: string;
  /** Reads logind's state and passes it on. True if there was an answer. */
  look(signal: AbortSignal): Promise<boolean>;
  /** The monitor listens: from now on no announcement is missed. */
  onListening(): void;
  /** logind announced a shutdown, or cancelled it. */
  onSignal(preparing: boolean, signal: AbortSignal): Promise<void>;
}

/**
 * Runs one child that delays a shutdown and listens, until the child ends or the signal aborts.
 *
 * @returns why it ended, in words. Rejects only for a defect.
 */
export async function holdBack(ports: MonitorPorts, signal: AbortSignal): Promise<string> {
  const own = new AbortController();
  const either = AbortSignal.any([signal, own.signal]);
  const defect = Promise.withResolvers<never>();
  const tasks: Promise<void>[] = [];
  const start = (task: Promise<void>) =>
    tasks.push(
      task.catch((error: unknown) => {
        if (!either.aborted) defect.reject(error);
      }),
    );

  const question = Promise.withResolvers<true>();
  let deaf = false;
  const onLine = (line: string) => {
    const said = readLine(line);
    if (said === 'question') question.resolve(true);
    else if (said !== null) start(ports.onSignal(said.preparing, either));
  };
  const ended = followLines(inhibitingMonitor(ports.bin), onLine, either);
  const listen = async () => {
    deaf = !(await listens(question.promise, ports, either));
    if (deaf) own.abort();
    else ports.onListening();
  };
  start(listen());
  try {
    const why = await Promise.race([ended, defect.promise]);
    return deaf ? 'the monitor does not see what goes over the bus' : why;
  } finally {
    own.abort();
    await Promise.all([ended, ...tasks]);
  }
}

/** Queries logind until the monitor has printed such a query, and logind has answered it. */
async function listens(
  question: Promise<true>,
  { clock, look }: MonitorPorts,
  signal: AbortSignal,
): Promise<boolean> {
  for (let waited = 0; waited < LISTENS_WITHIN; waited += ASK_AGAIN) {
    const answered = await look(signal);
    const seen = await Promise.race([question, clock.sleep(ASK_AGAIN, signal).then(() => false)]);
    if (answered && seen) return true;
  }
  return false;
}
