/**
 * `npm run bench [-- SECTION…]`: runs the sections one after the other and prints their figures. Exits with 1 if a
 * section could not be measured; a goal that is missed is a result, not a failure. Whatever ends it, the clusters
 * (by their reaper) and the temporary files go with it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { drain } from './drain.ts';
import { engine } from './engine.ts';
import { hooks } from './hooks.ts';
import { notices } from './notices.ts';
import { ready } from './ready.ts';
import { printVerdicts, Report, type Section, type Verdict } from './report.ts';
import { resources } from './resources.ts';
import { slurmctld } from './slurmctld.ts';

const SECTIONS: readonly Section[] = [slurmctld, hooks, resources, ready, drain, notices, engine];
const EX_USAGE = 64;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SECTIONS.some((section) => section.name === name));
if (unknown.length > 0) {
  console.error(`bench: no section ${unknown.join(', ')}; there are:`);
  for (const { name, title } of SECTIONS) console.error(`  ${name.padEnd(10)} ${title}`);
  process.exit(EX_USAGE);
}

const scratch = mkdtempSync(join(tmpdir(), 'ckptd-bench-'));
process.env['TMPDIR'] = scratch;
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

console.log(`ckptd's figures, ${new Date().toISOString()}, Node ${process.version}, ${machine()}`);
const verdicts: Verdict[] = [];
for (const section of SECTIONS) {
  if (wanted.length > 0 && !wanted.includes(section.name)) continue;
  const report = new Report(section.name, section.title);
  const [startedAt, load] = [performance.now(), loadavg()[0]!];
  try {
    await section.run(report);
  } catch (error) {
    console.error(`bench: ${section.name} could not be measured:`, error);
    process.exitCode = 1;
  }
  verdicts.push(...report.verdicts);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`\n  (${seconds} s; load average of the machine before it ${load.toFixed(1)}${busy(load)})`);
}
printVerdicts(verdicts);

function machine(): string {
  const all = cpus();
  return `${all.length} × ${all[0]?.model.trim() ?? 'CPU'}`;
}

/** Wall times are worth little on a machine that does other things. */
function busy(load: number): string {
  return load > cpus().length / 2 ? ': BUSY, trust CPU times and the yardsticks' : '';
}
