import type { NoticeProvider, NoticesConfig } from '../../../../daemon/config/notices-config.ts';
import { AlibabaMetadata } from '../../../support/metadata/alibaba.ts';
import { AZURE_EVENTS, AzureMetadata } from '../../../support/metadata/azure.ts';
import { EC2_SPOT, Ec2Metadata } from '../../../support/metadata/ec2.ts';
import { GCP_PREEMPTED, GcpMetadata } from '../../../support/metadata/gcp.ts';
import type { MetadataServer } from '../../../support/metadata/metadata-server.ts';
import { noticesConfig } from '../watched.ts';

/** A cloud, and the word of it that tells of the end. */
export interface Cloud {
  readonly provider: NoticeProvider;
  readonly source: string;
  /** Of the requests for that word. */
  readonly path: string;
  readonly server: MetadataServer;
  /** Gives the notice. `at`: its deadline where the cloud tells one. */
  notice(at?: number): void;
  withdraw(): void;
  config(timeout?: number): NoticesConfig;
}

const seconds = (at: number) => new Date(Math.floor(at / 1000) * 1000);

export const CLOUDS: Readonly<Record<string, (port?: number) => Promise<Cloud>>> = {
  async ec2(port) {
    const server = await new Ec2Metadata().listen(port);
    return {
      provider: 'ec2',
      source: 'ec2/spot',
      path: EC2_SPOT,
      server,
      notice: (at = Date.now() + 120_000) => server.spot('terminate', seconds(at).toISOString()),
      withdraw: () => server.values.clear(),
      config: (timeout = 10_000) =>
        noticesConfig(['ec2'], { ec2: { endpoint: server.url, timeout, pollOthers: 600_000 } }),
    };
  },
  async gcp(port) {
    const server = await new GcpMetadata().listen(port);
    return {
      provider: 'gcp',
      source: 'gcp/preempted',
      path: GCP_PREEMPTED,
      server,
      notice: () => server.set(GCP_PREEMPTED, 'TRUE'),
      withdraw: () => server.set(GCP_PREEMPTED, 'FALSE'),
      config: (timeout = 10_000) => noticesConfig(['gcp'], { gcp: { endpoint: server.url, timeout } }),
    };
  },
  async azure(port) {
    const server = await new AzureMetadata().listen(port);
    return {
      provider: 'azure',
      source: 'azure/scheduled',
      path: AZURE_EVENTS,
      server,
      notice: (at = Date.now() + 30_000) => server.schedule({ NotBefore: seconds(at).toUTCString() }),
      withdraw: () => server.withdraw(),
      config: (timeout = 10_000) => noticesConfig(['azure'], { azure: { endpoint: server.url, timeout } }),
    };
  },
  async alibaba(port) {
    const server = await new AlibabaMetadata().listen(port);
    return {
      provider: 'alibaba',
      source: 'alibaba/spot',
      path: 'termination-time',
      server,
      notice: (at = Date.now() + 300_000) => {
        server.terminationTime = seconds(at).toISOString();
      },
      withdraw: () => {
        server.terminationTime = null;
      },
      config: (timeout = 10_000) =>
        noticesConfig(['alibaba'], { alibaba: { endpoint: server.url, timeout } }),
    };
  },
};
