import { cleanText } from '../../../system/log/clean-text.ts';
import type { EpochMs } from '../../../vocabulary/job.ts';
import type { Notice } from '../../../vocabulary/notice.ts';
import { makeNotice } from '../notice.ts';
import { isRecord, parseJson, textOf } from '../parse-fields.ts';
import { readDeadline } from './deadline.ts';
import type { Reading } from './parse-ec2.ts';

export const AZURE_SOURCE = 'azure/scheduled';

/** The active scheduled events of this VM. */
export interface AzureEvents {
  readonly standing: readonly Notice[];
  /** A part of the answer that cannot be read. */
  readonly doubt: string | null;
  /** `EventId` by the notice's id, of events that have not started and can be started early. */
  readonly startable: ReadonlyMap<string, string>;
}

const ENDS = new Set(['Preempt', 'Terminate', 'Reboot', 'Redeploy']);
/** The VM pauses for seconds, and jobs survive that. */
const HARMLESS = new Set(['Freeze']);
const STATUSES = new Set(['Scheduled', 'Started']);

/**
 * Reads `{"DocumentIncarnation":n,"Events":[…]}` of `scheduledevents`, api-version 2020-07-01; null for anything else.
 * The list is of the whole availability set: only events that name this VM count.
 */
export function readAzureEvents(body: string, vmName: string, reading: Reading): AzureEvents | null {
  const data = parseJson(body);
  const list = isRecord(data) ? data['Events'] : null;
  if (!Array.isArray(list)) return null;
  let doubt: string | null = null;
  const standing: Notice[] = [];
  const startable = new Map<string, string>();
  for (const item of list) {
    const event = azureEvent(item, vmName);
    if (typeof event === 'string') doubt ??= event;
    else if (event !== null && !ENDS.has(event.type)) {
      if (!HARMLESS.has(event.type)) {
        reading.health.odd(`Azure has an event of a kind that is not known scheduled: ${event.type}`);
      }
    } else if (event !== null) {
      const notice = noticeOf(event, reading);
      standing.push(notice);
      if (event.status === 'Scheduled') startable.set(notice.id, event.id);
    }
  }
  return { standing, doubt, startable };
}

interface AzureEvent {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly notBefore: unknown;
}

/** Null for an event that does not concern this VM; a text for one that cannot be read. */
function azureEvent(item: unknown, vmName: string): AzureEvent | string | null {
  if (!isRecord(item)) return 'one of the scheduled events is none';
  const resources = item['Resources'];
  if (!Array.isArray(resources)) return 'a scheduled event has no list of resources';
  // Azure's names are case-insensitive.
  if (!resources.some((name) => textOf(name)?.toLowerCase() === vmName.toLowerCase())) return null;
  const [type, status, id] = [item['EventType'], item['EventStatus'], item['EventId']].map((field) =>
    textOf(field, 128),
  );
  if (!type || !/^[A-Za-z]{1,64}$/.test(type)) {
    return `a scheduled event has no type, but ${shown(item['EventType'])}`;
  }
  if (!status || !STATUSES.has(status)) {
    return `a scheduled event has an unknown status ${shown(item['EventStatus'])}`;
  }
  if (!id) return 'a scheduled event has no id';
  return { id, type, status, notBefore: item['NotBefore'] };
}

function noticeOf({ id, type, status, notBefore }: AzureEvent, { hostAhead, health, now }: Reading): Notice {
  const empty = notBefore === undefined || notBefore === null || notBefore === '';
  // A notice that had a deadline before keeps it.
  const deadline: EpochMs | null =
    status === 'Started' && empty ? now : readDeadline(notBefore, hostAhead, health);
  const reason = `Azure has ${type} scheduled for this VM (${id})`;
  return makeNotice({ source: AZURE_SOURCE, kind: 'termination', name: id, deadline, reason });
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(cleanText(value, 40)) : typeof value;
}
