import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rig } from '../crash/rig.ts';
import { AlibabaMetadata } from '../support/metadata/alibaba.ts';
import { AZURE_EVENTS, AzureMetadata } from '../support/metadata/azure.ts';
import { Ec2Metadata } from '../support/metadata/ec2.ts';
import { GCP_PREEMPTED, GcpMetadata } from '../support/metadata/gcp.ts';
import type { MetadataServer } from '../support/metadata/metadata-server.ts';

/** Somebody who can tell a daemon that its node goes away. */
export interface Announcement extends AsyncDisposable {
  /** Of ckptd.yaml. */
  readonly config: object;
  /** Resolves when the daemon listens. */
  watched(): Promise<unknown>;
  /** Returns when it did, in epoch milliseconds. */
  announce(rig: Rig): Promise<number>;
  /** Requests of the daemon so far. */
  requests(): number;
}

export interface Announcer {
  readonly name: string;
  /** How often the daemon asks; null: it is told. */
  readonly pollMs: number | null;
  start(): Promise<Announcement>;
}

/** As the configuration ships: polls are its defaults. */
export const ANNOUNCERS: readonly Announcer[] = [
  { name: 'file', pollMs: null, start: file },
  { name: 'socket', pollMs: null, start: socket },
  cloud('ec2', 2_000, 'spot/instance-action', () => new Ec2Metadata(), {
    announce: (server) => server.spot('terminate', inSeconds(120)),
  }),
  cloud('gcp', null, GCP_PREEMPTED, () => new GcpMetadata(), {
    watched: async (server) => {
      // Both values are waited for; each is asked for once before.
      await server.reaches(4);
    },
    announce: (server) => server.set(GCP_PREEMPTED, 'TRUE'),
  }),
  cloud('azure', 2_000, AZURE_EVENTS, () => new AzureMetadata(), {
    announce: (server) => server.schedule(),
  }),
  cloud('alibaba', 5_000, 'spot/termination-time', () => new AlibabaMetadata(), {
    announce: (server) => {
      server.terminationTime = inSeconds(300);
    },
  }),
];

function cloud<T extends MetadataServer>(
  name: string,
  pollMs: number | null,
  path: string,
  make: () => T,
  { watched, announce }: { watched?: (server: T) => Promise<void>; announce: (server: T) => unknown },
): Announcer {
  return {
    name,
    pollMs,
    async start() {
      const server = await make().listen();
      return {
        config: { providers: [name], [name]: { endpoint: server.url } },
        watched: () => watched?.(server) ?? server.reaches(1, path),
        async announce() {
          // At any point of the poll's period.
          if (pollMs !== null) await new Promise((resolve) => setTimeout(resolve, Math.random() * pollMs));
          const at = Date.now();
          announce(server);
          return at;
        },
        requests: () => server.seen.length,
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  };
}

async function file(): Promise<Announcement> {
  const dir = await mkdtemp(join(tmpdir(), 'ckptd-notice-'));
  const path = join(dir, 'terminate');
  return {
    config: { providers: ['file'], file: path },
    watched: async () => {},
    async announce() {
      const at = Date.now();
      await writeFile(path, '');
      return at;
    },
    requests: () => 0,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

async function socket(): Promise<Announcement> {
  return {
    config: { providers: [] },
    watched: async () => {},
    async announce({ daemon }) {
      const at = Date.now();
      await daemon.ask('/v1/notices', 'POST', { kind: 'termination', in: '2m' });
      return at;
    },
    requests: () => 0,
    async [Symbol.asyncDispose]() {},
  };
}

function inSeconds(seconds: number): string {
  return `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;
}
