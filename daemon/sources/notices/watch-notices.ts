import type { NoticeProvider, NoticesConfig } from '../../config/notices-config.ts';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import { alibaba } from './clouds/alibaba.ts';
import { azure } from './clouds/azure.ts';
import { detect } from './clouds/detect.ts';
import { ec2 } from './clouds/ec2.ts';
import { gcp } from './clouds/gcp.ts';
import type { Provider } from './clouds/provider.ts';
import { fileSource } from './local/file.ts';
import { logindSource } from './local/logind.ts';
import type { NoticePorts, NoticeSource } from './notice-source.ts';
import { type HealthCounters, SourceHealth } from './source-health.ts';
import { Standing } from './standing.ts';

export interface SourceCounters extends HealthCounters {
  readonly source: string;
  /** Active notices. */
  readonly standing: number;
}

export interface NoticeWatch {
  /** Resolves when all sources have ended after the signal; rejects only for a defect. */
  readonly done: Promise<void>;
  /** Resolves once every source that is present has answered. One that never answers keeps it pending. */
  readonly heard: Promise<void>;
  /** For `/metrics`, of each watched source. */
  counters(): readonly SourceCounters[];
  /** The providers that are named or were looked for, in no particular order. */
  providers(): readonly ProviderState[];
  /**
   * All jobs that this notice concerns are saved, so its sender need not wait. The host's shutdown goes on, and Azure
   * is told so if `azure.start_requests` is set. For other senders, and if this is never called, the deadline holds.
   */
  approve(noticeId: string): void;
}

export interface ProviderState {
  readonly provider: NoticeProvider;
  /** False if `auto` has not found it. */
  readonly watched: boolean;
}

/** Pauses after a cloud was not found: a busy host or a late network gets its metadata service later. */
const LOOK_AGAIN_AFTER: readonly Millis[] = [60_000, 300_000, 1_800_000];

interface Watched {
  readonly source: NoticeSource;
  readonly health: SourceHealth;
  readonly standing: Standing;
}

/**
 * Watches the sources of notices. A provider that is named is watched from now on, present or not. `auto` adds file
 * and logind, and looks for the clouds a few times: those that are absent cost nothing afterwards.
 */
export function watchNotices(
  config: NoticesConfig,
  ports: NoticePorts & { readonly random?: () => number },
  signal: AbortSignal,
): NoticeWatch {
  const { clock, log, random = Math.random } = ports;
  const watched: Watched[] = [];
  const named = new Set(config.providers);
  const asked = new Map<NoticeProvider, boolean>();

  /** Calls `spoke` at the source's first answer, or when there will be none. */
  async function watch(source: NoticeSource, spoke: () => void): Promise<void> {
    const standing = new Standing();
    const health = new SourceHealth(source.name, clock, log);
    watched.push({ source, health, standing });
    const emit: NoticePorts['emit'] = (event) => {
      const news = standing.news(event.standing);
      if (news !== null) ports.emit({ ...event, standing: news });
      spoke();
    };
    try {
      await source.watch({ ...ports, emit, health, random }, signal);
      spoke();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async function watchAll({ name, sources }: Provider, spoke: () => void): Promise<void> {
    asked.set(name, true);
    const silent = new Set(sources);
    const oneSpoke = (source: NoticeSource) => () => {
      silent.delete(source);
      if (silent.size === 0) spoke();
    };
    await Promise.all(sources.map((source) => watch(source, oneSpoke(source))));
  }

  async function detected(provider: Provider, spoke: () => void): Promise<void> {
    asked.set(provider.name, false);
    for (const pause of [...LOOK_AGAIN_AFTER, null]) {
      const absent = await detect(provider, config.detectTimeout, clock, signal);
      if (signal.aborted) return;
      if (absent === null) {
        log.info({ provider: provider.name }, 'found: its termination notices are watched');
        return watchAll(provider, spoke);
      }
      const again = pause === null ? {} : { again_in_ms: pause };
      log.info({ provider: provider.name, why: absent, ...again }, 'not here: no notices from it');
      spoke();
      if (pause === null || (await slept(clock, pause, signal)) === 'aborted') return;
    }
  }

  const words: Promise<void>[] = [];
  const running = providersOf(config, clock).flatMap((provider) => {
    const isNamed = named.has(provider.name);
    if (!isNamed && !named.has('auto')) return [];
    const { promise, resolve } = Promise.withResolvers<void>();
    words.push(promise);
    const find = isNamed || provider.detect === undefined ? watchAll : detected;
    return [find(provider, resolve)];
  });

  return {
    heard: Promise.all(words).then(() => {}),
    done: Promise.all(running).then(() => {}),
    counters: () =>
      watched.map(({ source, health, standing }) => ({
        source: source.name,
        ...health.counters(),
        standing: standing.count,
      })),
    providers: () => [...asked].map(([provider, watched]) => ({ provider, watched })),
    approve(noticeId) {
      for (const { source } of watched) source.approve?.(noticeId);
    },
  };
}

async function slept(clock: Clock, ms: Millis, signal: AbortSignal): Promise<'slept' | 'aborted'> {
  try {
    await clock.sleep(ms, signal);
    return 'slept';
  } catch (error) {
    if (!signal.aborted) throw error;
    return 'aborted';
  }
}

/** All providers that `notices.providers` can name. Making one sends no request. */
function providersOf(config: NoticesConfig, clock: Clock): readonly Provider[] {
  const local = (name: NoticeProvider, source: NoticeSource): Provider => ({ name, sources: [source] });
  return [
    ec2(config.ec2, clock),
    gcp(config.gcp, clock),
    azure(config.azure, clock),
    alibaba(config.alibaba, clock),
    local('file', fileSource(config)),
    local('logind', logindSource()),
  ];
}
