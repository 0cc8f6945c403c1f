import type { RouteName } from './contract.ts';
import type { Fault } from './faults.ts';

/** One request, as it came and as it ended. The token is not in it. */
export interface Entry {
  readonly at: string;
  readonly route: RouteName | null;
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly fault: Fault['type'];
  /** Whether the request was carried out. */
  acted: boolean;
  /** What the service said, or would have without the fault. */
  answer: { readonly status: number; readonly body: string } | null;
  /** Whether the whole answer went to the operating system; null while the exchange goes on. */
  answered: boolean | null;
  readonly violations: readonly string[];
}
