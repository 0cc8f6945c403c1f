import type { NoticeProvider, NoticesConfig } from '../../config/notices-config.ts';
import type { Clock } from '../../system/ports.ts';
import { alibaba } from './alibaba.ts';
import { azure } from './azure.ts';
import { detect } from './detect.ts';
import { ec2 } from './ec2.ts';
import { fileSource } from './file.ts';
import { gcp } from './gcp.ts';
import { logindSource } from './logind.ts';
import type { NoticePorts, NoticeSource } from './notice-source.ts';
import type { Provider } from './provider.ts';
import { type HealthCounters, SourceHealth } from './source-health.ts';
import { Standing } from './standing.ts';

export interface SourceCounters extends HealthCounters {
  readonly source: string;
  /** Notices that stand now. */
  readonly standing: number;
}

export interface NoticeWatch {
  /** Resolves when all has come to rest after the signal; rejects only for a defect. */
  readonly done: Promise<void>;
  /** Of the sources that are watched, for `/metrics`. */
  counters(): readonly SourceCounters[];
  /**
   * All that could be saved from this notice is saved, so that its sender need not wait: the host's shutdown goes on,
   * and Azure is told so if `azure.start_requests` asks for it. For everybody else, and if it is never called, the
   * deadline holds.
   */
  approve(noticeId: string): void;
}

interface Watched {
  readonly source: NoticeSource;
  readonly health: SourceHealth;
  readonly standing: Standing;
}

/**
 * Watches whoever may tell that this node goes away. Who is named is watched from now on, here or not. `auto` adds
 * file and logind, and looks once for the clouds: those that are absent cost nothing afterwards.
 */
export function watchNotices(
  config: NoticesConfig,
  ports: NoticePorts & { readonly random?: () => number },
  signal: AbortSignal,
): NoticeWatch {
  const { clock, log, random = Math.random } = ports;
  const watched: Watched[] = [];
  const named = new Set(config.providers);

  async function watch(source: NoticeSource): Promise<void> {
    const standing = new Standing();
    const health = new SourceHealth(source.name, clock, log);
    watched.push({ source, health, standing });
    const emit: NoticePorts['emit'] = (event) => {
      const news = standing.news(event.standing);
      if (news !== null) ports.emit({ ...event, standing: news });
    };
    try {
      await source.watch({ ...ports, emit, health, random }, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  const watchAll = async ({ sources }: Provider): Promise<void> => {
    await Promise.all(sources.map(watch));
  };

  async function detected(provider: Provider): Promise<void> {
    const absent = await detect(provider, config.detectTimeout, clock, signal);
    if (signal.aborted) return;
    if (absent !== null) {
      log.debug({ provider: provider.name, why: absent }, 'not here: no notices from it');
      return;
    }
    log.info({ provider: provider.name }, 'found: its termination notices are watched');
    await watchAll(provider);
  }

  const running = providersOf(config, clock).flatMap((provider) => {
    if (named.has(provider.name)) return [watchAll(provider)];
    if (!named.has('auto')) return [];
    return [provider.detect === undefined ? watchAll(provider) : detected(provider)];
  });

  return {
    done: Promise.all(running).then(() => {}),
    counters: () =>
      watched.map(({ source, health, standing }) => ({
        source: source.name,
        ...health.counters(),
        standing: standing.count,
      })),
    approve(noticeId) {
      for (const { source } of watched) source.approve?.(noticeId);
    },
  };
}

/** Everybody that `notices.providers` can name; making one asks nobody anything. */
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
