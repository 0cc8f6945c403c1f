import type { Answer } from './fault.ts';
import { json, MetadataServer, page, type Received, text } from './metadata-server.ts';

export const AZURE_EVENTS = '/metadata/scheduledevents';
export const AZURE_NAME = '/metadata/instance/compute/name';

export interface AzureEvent {
  readonly EventId: string;
  readonly EventType: string;
  readonly Resources: readonly string[];
  readonly EventStatus: string;
  readonly NotBefore: string;
}

/** Azure's instance metadata and scheduled events: `Metadata: true` and a known api-version, or nothing. */
export class AzureMetadata extends MetadataServer {
  vmName = 'node-7';
  /** Events that were told to start before their time. */
  readonly started: string[] = [];
  /** Accepts start requests, and leaves the event as it is for now. */
  slow = false;
  #postStatus: number | null = null;
  #events: AzureEvent[] = [];
  #incarnation = 1;

  /** An event of this VM, a spot eviction in 30 s, with what a test changes in it. */
  schedule(event: Partial<AzureEvent> = {}): AzureEvent {
    const whole: AzureEvent = {
      EventId: '602d9444-d2cd-49c7-8624-8643e7171297',
      EventType: 'Preempt',
      Resources: [this.vmName],
      EventStatus: 'Scheduled',
      NotBefore: new Date(Math.floor(Date.now() / 1000) * 1000 + 30_000).toUTCString(),
      ...event,
    };
    this.#change([...this.#events.filter(({ EventId }) => EventId !== whole.EventId), whole]);
    return whole;
  }

  /** Start requests get this status from now on. */
  failPosts(status: number): void {
    this.#postStatus = status;
  }

  withdraw(): void {
    this.#change([]);
  }

  protected override answer(request: Received): Answer {
    const { headers, path, query, method } = request;
    if (headers['metadata'] !== 'true' || headers['x-forwarded-for'] !== undefined) {
      return { ...json({ error: 'Bad request. Required metadata header not specified' }), status: 400 };
    }
    if (path === AZURE_NAME) {
      if (method !== 'GET') return page(405);
      if (query.get('api-version') !== '2021-02-01') return badVersion();
      return query.get('format') === 'text'
        ? text(this.vmName)
        : { ...json({ error: 'format' }), status: 400 };
    }
    if (path !== AZURE_EVENTS) return page(404);
    if (query.get('api-version') !== '2020-07-01') return badVersion();
    if (method === 'POST') return this.#start(request.body);
    if (method !== 'GET') return page(405);
    return json({ DocumentIncarnation: this.#incarnation, Events: this.#events });
  }

  #start(body: string): Answer {
    if (this.#postStatus !== null) return page(this.#postStatus);
    const { StartRequests: requests } = JSON.parse(body) as { StartRequests: { EventId: string }[] };
    for (const { EventId } of requests) {
      const event = this.#events.find((one) => one.EventId === EventId);
      if (event === undefined) return { ...json({ error: 'EventId not found' }), status: 400 };
      this.started.push(EventId);
      if (!this.slow) this.schedule({ ...event, EventStatus: 'Started', NotBefore: '' });
    }
    return text('');
  }

  #change(events: AzureEvent[]): void {
    this.#events = events;
    this.#incarnation += 1;
  }
}

function badVersion(): Answer {
  return {
    ...json({ error: 'Bad request. api-version is invalid', 'newest-versions': ['2021-02-01'] }),
    status: 400,
  };
}
