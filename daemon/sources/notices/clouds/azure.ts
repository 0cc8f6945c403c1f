import type { NoticesConfig } from '../../../config/notices-config.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { NoticeSource, SourcePorts } from '../notice-source.ts';
import { StartRequests } from './azure-start.ts';
import { type MetadataResult, metadataClient } from './metadata-client.ts';
import { AZURE_SOURCE, readAzureEvents } from './parse-azure.ts';
import { poll } from './poll.ts';
import { type PollResult, problemOf, unreadable } from './poll-result.ts';
import { absence, type Provider } from './provider.ts';

const NAME = '/metadata/instance/compute/name?api-version=2021-02-01&format=text';
const EVENTS = '/metadata/scheduledevents?api-version=2020-07-01';
const HEADERS = { metadata: 'true' };
/** An eviction is announced 30 s ahead. */
const LONGEST_PAUSE: Millis = 5_000;

/**
 * Azure's scheduled events. The service starts at a VM's first request, and may take minutes to answer it. Until its
 * first answer, a request gets that long, and a timeout is no failure.
 */
export function azure(config: NoticesConfig['azure'], clock: Clock): Provider {
  const client = metadataClient(config.endpoint, clock);
  const starts = new StartRequests(config.startRequests);
  let vmName: string | null = null;
  let awake = false;

  async function askName(signal: AbortSignal): Promise<MetadataResult> {
    const result = await client.ask({ path: NAME, headers: HEADERS, timeoutMs: config.timeout }, signal);
    vmName = vmNameOf(result) ?? vmName;
    return result;
  }

  async function look({ health, log }: SourcePorts, signal: AbortSignal): Promise<PollResult> {
    if (vmName === null) {
      health.asked();
      const result = await askName(signal);
      if (vmName === null) return unreadable(`the name of this VM: ${problemOf(result)}`);
    }
    health.asked();
    const timeoutMs = awake ? config.timeout : config.firstTimeout;
    const result = await client.ask({ path: EVENTS, headers: HEADERS, timeoutMs }, signal);
    awake ||= result.type === 'answer' && result.status === 200;
    if (result.type === 'failure' && result.timeout === true && !awake) {
      return { ok: false, problem: 'the service for scheduled events is still starting', expected: true };
    }
    if (result.type === 'failure' || result.status !== 200) return { ok: false, problem: problemOf(result) };
    const { hostAhead } = result;
    const events = readAzureEvents(result.body, vmName, { hostAhead, health, now: clock.now() });
    if (events === null) return unreadable('the scheduled events are no list of events');
    const post = (body: string) => {
      health.asked();
      const headers = { ...HEADERS, 'content-type': 'application/json' };
      return client.ask({ method: 'POST', path: EVENTS, headers, body, timeoutMs: config.timeout }, signal);
    };
    await starts.send(events.startable, post, log);
    if (events.doubt === null) starts.keep(new Set(events.standing.map(({ id }) => id)));
    return { ok: true, ...events };
  }

  const source: NoticeSource = {
    name: AZURE_SOURCE,
    watch: (ports, signal) => {
      const every = { source: AZURE_SOURCE, everyMs: config.poll, longestPauseMs: LONGEST_PAUSE };
      return poll(every, () => look(ports, signal), ports, signal);
    },
    approve: (noticeId) => starts.approve(noticeId),
  };
  return {
    name: 'azure',
    sources: [source],
    detect: async (signal) => {
      const result = await askName(signal);
      return vmName === null ? absence(result) : null;
    },
  };
}

function vmNameOf(result: MetadataResult): string | null {
  if (result.type === 'failure' || result.status !== 200) return null;
  const name = result.body.trim();
  return /^[\w.-]{1,80}$/.test(name) ? name : null;
}
