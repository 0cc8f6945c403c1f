import type { Millis } from '../vocabulary/job.ts';
import type { FileData } from './schema/file-schema.ts';
import type { NOTICE_PROVIDERS } from './schema/notices-schema.ts';

export type NoticeProvider = (typeof NOTICE_PROVIDERS)[number];

/** Who tells that this node goes away, and how they are asked. Endpoints are base URLs without a slash at the end. */
export interface NoticesConfig {
  readonly providers: readonly NoticeProvider[];
  readonly drainNode: boolean;
  readonly file: string;
  readonly filePoll: Millis;
  /** How long `auto` waits for each metadata service. */
  readonly detectTimeout: Millis;
  readonly ec2: {
    readonly endpoint: string;
    /** From one question about spot notices to the next. */
    readonly poll: Millis;
    /** The same for rebalance, lifecycle and scheduled events. */
    readonly pollOthers: Millis;
    /** Of one request. */
    readonly timeout: Millis;
    /** A scheduled event is a termination from this long before its start. */
    readonly scheduledLead: Millis;
  };
  readonly gcp: {
    readonly endpoint: string;
    /** How long the server is asked to hold an answer that has not changed. */
    readonly wait: Millis;
    /** Of one request, beyond `wait`. */
    readonly timeout: Millis;
  };
  readonly azure: {
    readonly endpoint: string;
    readonly poll: Millis;
    /** Of one request, once the service has answered. */
    readonly timeout: Millis;
    /** Of a request before that. */
    readonly firstTimeout: Millis;
    /** Tell Azure to go ahead when all is saved. */
    readonly startRequests: boolean;
  };
  readonly alibaba: { readonly endpoint: string; readonly poll: Millis; readonly timeout: Millis };
}

/** The file's block in the daemon's words. */
export function resolveNotices({ ec2, gcp, azure, alibaba, ...notices }: FileData['notices']): NoticesConfig {
  return {
    providers: notices.providers,
    drainNode: notices.drain_node,
    file: notices.file,
    filePoll: notices.file_poll,
    detectTimeout: notices.detect_timeout,
    ec2: {
      endpoint: ec2.endpoint.base,
      poll: ec2.poll,
      pollOthers: ec2.poll_others,
      timeout: ec2.timeout,
      scheduledLead: ec2.scheduled_lead,
    },
    gcp: { endpoint: gcp.endpoint.base, wait: gcp.wait, timeout: gcp.timeout },
    azure: {
      endpoint: azure.endpoint.base,
      poll: azure.poll,
      timeout: azure.timeout,
      firstTimeout: azure.first_timeout,
      startRequests: azure.start_requests,
    },
    alibaba: { endpoint: alibaba.endpoint.base, poll: alibaba.poll, timeout: alibaba.timeout },
  };
}
