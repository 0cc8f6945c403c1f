import { cleanText } from '../../../system/log/clean-text.ts';
import type { EpochMs, Millis } from '../../../vocabulary/job.ts';
import { parseDate } from '../parse-date.ts';
import type { SourceHealth } from '../source-health.ts';
import { onHostClock } from './poll-result.ts';

/**
 * The deadline in an answer, converted to the host's clock. One that cannot be read is logged and counts as none: a
 * notice without a deadline is better than no notice.
 */
export function readDeadline(value: unknown, hostAhead: Millis, health: SourceHealth): EpochMs | null {
  const at = typeof value === 'string' ? parseDate(value) : null;
  if (at !== null) return onHostClock(at, hostAhead, health);
  const shown = typeof value === 'string' ? JSON.stringify(cleanText(value, 64)) : typeof value;
  health.odd(`a notice has no deadline that can be read (${shown}): it stands without one`);
  return null;
}
