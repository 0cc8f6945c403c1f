import { randomBytes } from 'node:crypto';
import type { Answer } from './fault.ts';
import { MetadataServer, page, type Received, text } from './metadata-server.ts';

const ROOT = '/computeMetadata/v1/instance/';
export const GCP_PREEMPTED = 'preempted';
export const GCP_MAINTENANCE = 'maintenance-event';

interface Value {
  readonly word: string;
  readonly etag: string;
}

/** Google Cloud's metadata server: a question that names the current ETag is held until the value changes. */
export class GcpMetadata extends MetadataServer {
  readonly #values = new Map<string, Value>();
  readonly #waiting = new Set<() => void>();

  constructor() {
    super();
    this.set(GCP_PREEMPTED, 'FALSE');
    this.set(GCP_MAINTENANCE, 'NONE');
  }

  set(name: string, word: string): void {
    this.#values.set(ROOT + name, { word, etag: randomBytes(8).toString('hex') });
    for (const wake of [...this.#waiting]) wake();
  }

  /** Questions that are being held. */
  get held(): number {
    return this.#waiting.size;
  }

  protected override async answer({ method, path, query, headers, gone }: Received): Promise<Answer> {
    if (headers['metadata-flavor'] !== 'Google' || headers['x-forwarded-for'] !== undefined) return page(403);
    if (method !== 'GET') return page(405);
    const before = this.#values.get(path);
    if (before === undefined) return page(404);
    const last = query.get('last_etag');
    if (query.get('wait_for_change') === 'true' && (last === null || last === before.etag)) {
      const seconds = query.get('timeout_sec');
      if (seconds !== null && !/^\d+$/.test(seconds)) return page(400);
      await this.#change(path, before.etag, seconds === null ? null : Number(seconds) * 1000, gone);
    }
    const { word, etag } = this.#values.get(path)!;
    return text(word, { etag, 'metadata-flavor': 'Google' });
  }

  async #change(path: string, etag: string, limitMs: number | null, gone: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wake = () => {
      if (this.#values.get(path)?.etag !== etag) resolve();
    };
    const onGone = () => reject(gone.reason);
    const timer = limitMs === null ? undefined : setTimeout(resolve, limitMs);
    this.#waiting.add(wake);
    gone.addEventListener('abort', onGone, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(wake);
      gone.removeEventListener('abort', onGone);
    }
  }
}
