import { randomBytes } from 'node:crypto';
import type { Answer } from './fault.ts';
import { MetadataServer, page, type Received, text } from './metadata-server.ts';

const SIX_HOURS = 21_600;
export const EC2_SPOT = 'spot/instance-action';
export const EC2_REBALANCE = 'events/recommendations/rebalance';
export const EC2_LIFECYCLE = 'autoscaling/target-lifecycle-state';
export const EC2_SCHEDULED = 'events/maintenance/scheduled';

/** IMDSv2 of EC2, with IMDSv1 switched off: no path without a token that was given here and is not too old. */
export class Ec2Metadata extends MetadataServer {
  /** What each path below `/latest/meta-data/` says; one that is not here is a 404. */
  readonly values = new Map<string, string>();
  /** When each token ends, in the time of `now`. */
  readonly #tokens = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    super();
    this.#now = now;
  }

  spot(action: string, time: string): void {
    this.values.set(EC2_SPOT, JSON.stringify({ action, time }));
  }

  schedule(events: readonly object[]): void {
    this.values.set(EC2_SCHEDULED, JSON.stringify(events));
  }

  /** As when the instance was moved: no token holds any more. */
  forgetTokens(): void {
    this.#tokens.clear();
  }

  protected override answer(request: Received): Answer {
    // The service refuses what came through a proxy.
    if (request.headers['x-forwarded-for'] !== undefined) return page(403, 'Forbidden');
    if (request.path === '/latest/api/token') return this.#token(request);
    if (request.method !== 'GET') return page(405, 'Method Not Allowed');
    const until = this.#tokens.get(String(request.headers['x-aws-ec2-metadata-token']));
    if (until === undefined || this.#now() >= until) return page(401, 'Unauthorized');
    const value = this.values.get(request.path.replace('/latest/meta-data/', ''));
    return value === undefined ? page(404, 'Not Found') : text(value);
  }

  #token({ method, headers }: Received): Answer {
    if (method !== 'PUT') return page(405, 'Method Not Allowed');
    const seconds = String(headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (!/^\d+$/.test(seconds) || Number(seconds) < 1 || Number(seconds) > SIX_HOURS) return page(400);
    const token = randomBytes(40).toString('base64');
    this.#tokens.set(token, this.#now() + Number(seconds) * 1000);
    return text(token, { 'x-aws-ec2-metadata-token-ttl-seconds': seconds });
  }
}
