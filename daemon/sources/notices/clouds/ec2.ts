import type { NoticesConfig } from '../../../config/notices-config.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { NoticeSource } from '../notice-source.ts';
import { ec2Session } from './ec2-session.ts';
import { metadataClient } from './metadata-client.ts';
import { type Reading, readLifecycle, readRebalance, readScheduled, readSpot } from './parse-ec2.ts';
import { poll } from './poll.ts';
import { NOTHING, type PollResult, problemOf } from './poll-result.ts';
import { absence, type Provider } from './provider.ts';

/** A spot notice comes 120 s ahead, and must not be missed after an error. */
const LONGEST_SPOT_PAUSE: Millis = 10_000;
const LONGEST_PAUSE: Millis = 60_000;

/**
 * AWS EC2, by IMDSv2 (Instance Metadata Service). Each kind of notice has a path, which answers 404 while there is
 * none. A service that gives no token counts as absent: an IMDSv1 may be any web server.
 */
export function ec2(config: NoticesConfig['ec2'], clock: Clock): Provider {
  const session = ec2Session(metadataClient(config.endpoint, clock), config.timeout);

  function source(
    name: string,
    path: string,
    [everyMs, longestPauseMs]: readonly [Millis, Millis],
    read: (body: string, reading: Reading) => PollResult,
  ): NoticeSource {
    return {
      name,
      watch: (ports, signal) => {
        const { health } = ports;
        const look = async (): Promise<PollResult> => {
          const result = await session.get(`/latest/meta-data/${path}`, () => health.asked(), signal);
          if (result.type === 'answer' && result.status === 404) return NOTHING;
          if (result.type === 'failure' || result.status !== 200)
            return { ok: false, problem: problemOf(result) };
          return read(result.body, { hostAhead: result.hostAhead, health, now: clock.now() });
        };
        return poll({ source: name, everyMs, longestPauseMs }, look, ports, signal);
      },
    };
  }

  const often = [config.poll, LONGEST_SPOT_PAUSE] as const;
  const seldom = [config.pollOthers, LONGEST_PAUSE] as const;
  return {
    name: 'ec2',
    sources: [
      source('ec2/spot', 'spot/instance-action', often, readSpot),
      source('ec2/rebalance', 'events/recommendations/rebalance', seldom, readRebalance),
      source('ec2/asg', 'autoscaling/target-lifecycle-state', seldom, readLifecycle),
      source('ec2/scheduled', 'events/maintenance/scheduled', seldom, (body, reading) =>
        readScheduled(body, config.scheduledLead, reading),
      ),
    ],
    detect: async (signal) => {
      const result = await session.open(() => {}, signal);
      return result.type === 'answer' && result.status === 200 ? null : absence(result);
    },
  };
}
