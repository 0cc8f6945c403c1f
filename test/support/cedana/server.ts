import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { RouteName } from './contract.ts';
import type { Entry } from './entry.ts';
import type { Fault } from './faults.ts';
import type { Behaviour } from './service.ts';
import { StandIn } from './stand-in.ts';

/**
 * The stand-in as a program, for tests and demos that put it into a network namespace:
 *
 *     node test/support/cedana/server.ts --listen 127.0.0.1:0 | --unix PATH [--token T]… [--log FILE]
 *
 * The first line of its output is `{"listening": URL}`; every request is one more line (`Entry`), also appended to
 * FILE. A line of JSON on its input changes what it does (`Order`). It ends with its input, or on SIGTERM.
 */
interface Order {
  readonly route?: RouteName;
  /** With `route`: replaces what that route has in store. */
  readonly latencyMs?: number;
  readonly faults?: Fault[];
  readonly always?: Fault;
  /** Any of the plain settings of `Behaviour`. */
  readonly behaviour?: Partial<Omit<Behaviour, 'onCheckpoint' | 'onRestore'>>;
  /** Answered with the line `{"violations": […]}`. */
  readonly violations?: true;
}

const { values } = parseArgs({
  options: {
    listen: { type: 'string' },
    unix: { type: 'string' },
    token: { type: 'string', multiple: true },
    log: { type: 'string' },
  },
});

const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
const onEntry = (entry: Entry) => {
  print(entry);
  if (values.log !== undefined) appendFileSync(values.log, `${JSON.stringify(entry)}\n`);
};

const standIn = new StandIn({ listen: where(), onEntry });
standIn.service.behaviour.tokens = values.token ?? [];
await standIn.listen();
print({ listening: standIn.url });
process.once('SIGTERM', () => process.stdin.destroy());
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line));
await standIn[Symbol.asyncDispose]();

function where(): { path: string } | { host: string; port: number } {
  if (values.unix !== undefined) return { path: values.unix };
  const [, host, port] = /^(.+):(\d+)$/.exec(values.listen ?? '') ?? [];
  if (host === undefined) throw new Error('--listen HOST:PORT or --unix PATH');
  return { host, port: Number(port) };
}

function obey(order: Order): void {
  const { route, latencyMs, faults, always } = order;
  if (route !== undefined) {
    Object.assign(standIn.scripts[route], {
      ...(latencyMs === undefined ? {} : { latencyMs }),
      ...(faults === undefined ? {} : { faults }),
      ...(always === undefined ? {} : { always }),
    });
  }
  Object.assign(standIn.service.behaviour, order.behaviour);
  if (order.violations) print({ violations: standIn.violations });
}
