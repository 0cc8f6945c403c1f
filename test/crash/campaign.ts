import { oneRun, type RunReport } from './one-run.ts';
import { scenario } from './random-scenario.ts';
import type { RigOptions } from './rig.ts';

export interface CampaignOptions extends RigOptions {
  readonly seed: number;
  /** Numbers of the runs. */
  readonly runs: readonly number[];
  /** Daemons at a time: most of a run is waiting. */
  readonly parallel: number;
  readonly onRun?: (report: RunReport) => void;
}

/** Plays the runs, several at a time. */
export async function campaign(options: CampaignOptions): Promise<RunReport[]> {
  const { seed, parallel, onRun } = options;
  const reports: RunReport[] = [];
  const left = [...options.runs];
  const worker = async () => {
    for (let index = left.shift(); index !== undefined; index = left.shift()) {
      const report = await oneRun(scenario(seed, index), options);
      reports.push(report);
      onRun?.(report);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return reports;
}
