import type { NoticesConfig } from '../../../config/notices-config.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { makeNotice } from '../notice.ts';
import { looksLikeDate } from '../parse-date.ts';
import { readDeadline } from './deadline.ts';
import { metadataClient } from './metadata-client.ts';
import { poll } from './poll.ts';
import { NOTHING, type PollResult, problemOf, unreadable } from './poll-result.ts';
import { absence, type Provider } from './provider.ts';

const SOURCE = 'alibaba/spot';
const TERMINATION_TIME = '/latest/meta-data/instance/spot/termination-time';
const INSTANCE_ID = '/latest/meta-data/instance-id';
/** A release is announced 300 s ahead. */
const LONGEST_PAUSE: Millis = 20_000;

/** Alibaba Cloud: one path, which answers 404 until the time of release is known. */
export function alibaba(config: NoticesConfig['alibaba'], clock: Clock): Provider {
  const client = metadataClient(config.endpoint, clock);
  const get = (path: string, signal: AbortSignal) => client.ask({ path, timeoutMs: config.timeout }, signal);
  return {
    name: 'alibaba',
    sources: [
      {
        name: SOURCE,
        watch: (ports, signal) => {
          const look = async (): Promise<PollResult> => {
            ports.health.asked();
            const result = await get(TERMINATION_TIME, signal);
            if (result.type === 'answer' && result.status === 404) return NOTHING;
            if (result.type === 'failure' || result.status !== 200)
              return { ok: false, problem: problemOf(result) };
            const time = result.body.trim();
            if (!looksLikeDate(time)) return unreadable('the time of termination is no time');
            const deadline = readDeadline(time, result.hostAhead, ports.health);
            const reason = 'Alibaba Cloud releases this spot instance';
            const notice = makeNotice({ source: SOURCE, kind: 'termination', name: time, deadline, reason });
            return { ok: true, standing: [notice] };
          };
          const every = { source: SOURCE, everyMs: config.poll, longestPauseMs: LONGEST_PAUSE };
          return poll(every, look, ports, signal);
        },
      },
    ],
    // Not the path of the notice: any web server would answer it with a 404.
    detect: async (signal) => {
      const result = await get(INSTANCE_ID, signal);
      const id = result.type === 'answer' && result.status === 200 ? result.body.trim() : '';
      if (/^[\w-]{1,64}$/.test(id)) return null;
      const time = await get(TERMINATION_TIME, signal);
      const noticed = time.type === 'answer' && time.status === 200 && looksLikeDate(time.body);
      return noticed ? null : absence(result);
    },
  };
}
