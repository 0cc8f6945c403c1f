import type { Answer } from './fault.ts';
import { MetadataServer, page, type Received, text } from './metadata-server.ts';

/** Alibaba Cloud's metadata service, as far as spot instances go. */
export class AlibabaMetadata extends MetadataServer {
  /** When the instance is released; null: nobody knows. */
  terminationTime: string | null = null;

  protected override answer({ method, path }: Received): Answer {
    if (method !== 'GET') return page(405);
    if (path === '/latest/meta-data/instance-id') return text('i-bp1a2b3c4d5e6f7g8h9j');
    const told = path === '/latest/meta-data/instance/spot/termination-time' ? this.terminationTime : null;
    return told === null ? page(404, 'Not Found') : text(told);
  }
}
