import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { daemonProgram } from './program.ts';
import { createRig } from './rig.ts';
import { calmScenario, type Scenario } from './scenario.ts';
import { atRest, prepare } from './story.ts';
import { verdict } from './verdict.ts';

test('a guard that was under way is not set after it was taken back by the next start', {
  timeout: 120_000,
}, async () => {
  const calm = calmScenario();
  const story: Scenario = { ...calm, lift: { afterMs: 0, againAfterMs: null } };
  using program = await daemonProgram();
  await using rig = await createRig(story, program);
  const { daemon, cluster, configFile } = rig;
  daemon.start();
  await prepare(story, rig);
  const guarded = rig.slurm.next(({ args }) => args[0] === 'update');
  cluster.drain();
  await guarded;
  daemon.kill();
  await daemon.gone();

  const config = parse(readFileSync(configFile, 'utf8'));
  config.restore.on_drain = false;
  writeFileSync(configFile, stringify(config));
  daemon.start();
  expect(await atRest(story, rig)).toBe(null);
  await daemon.stop();
  expect(rig.restored).toEqual([]);
  expect(verdict(story, rig)).toEqual([]);
});
