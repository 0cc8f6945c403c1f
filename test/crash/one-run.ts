import { readFileSync } from 'node:fs';
import { createRig, type RigOptions } from './rig.ts';
import type { Scenario } from './scenario.ts';
import { play } from './story.ts';
import { verdict } from './verdict.ts';

export interface RunReport {
  readonly story: Scenario;
  /** Sentences; none where all is well. */
  readonly wrong: readonly string[];
  /** What the world saw, for whoever looks for the fault. */
  readonly trace: string;
  readonly ms: number;
  /** Restore requests that reached the API, and those of them that were carried out. */
  readonly restoreRequests: number;
  readonly restored: number;
}

export async function oneRun(story: Scenario, options: RigOptions): Promise<RunReport> {
  const startedAt = Date.now();
  await using rig = await createRig(story, options);
  const wrong: string[] = [];
  try {
    const unrest = await play(story, rig);
    await rig.daemon.stop();
    wrong.push(...(unrest === null ? [] : [unrest]), ...verdict(story, rig));
  } catch (error) {
    wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const restores = rig.api.entries.filter(({ route }) => route === 'restore');
  return {
    story,
    wrong,
    trace: wrong.length > 0 ? traceOf(rig) : '',
    ms: Date.now() - startedAt,
    restoreRequests: restores.length,
    restored: rig.restored.length,
  };
}

function traceOf(rig: Awaited<ReturnType<typeof createRig>>): string {
  const jobs = [...rig.cluster.jobs.values()].map((job) => JSON.stringify(job));
  const requests = rig.api.entries
    .filter(({ route }) => route === 'restore' || route === 'checkpoint')
    .map((entry) => JSON.stringify(entry));
  return ['jobs:', ...jobs, 'requests:', ...requests, 'log:', readFileSync(rig.logFile, 'utf8')].join('\n');
}
