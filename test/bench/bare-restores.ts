import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../lab/until.ts';
import { StandIn } from '../support/cedana/stand-in.ts';

const PROGRAM = join(import.meta.dirname, 'inside/bare-restores.ts');

/** The yardstick `inside/bare-restores.ts`, with the same API: milliseconds to the first and the last restore call. */
export async function bareRestores(
  count: number,
  apiMs: number,
  nodeFlags: readonly string[],
): Promise<{ firstMs: number; lastMs: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'ckptd-bare-'));
  await using resources = new AsyncDisposableStack();
  resources.defer(() => rm(dir, { recursive: true }));
  const api = resources.use(await new StandIn({ listen: { port: 0 } }).listen());
  api.service.behaviour.strictRestore = false;
  api.scripts.restore.latencyMs = apiMs;
  const [file, bodies] = [join(dir, 'terminate'), join(dir, 'bodies')];
  const body = () =>
    JSON.stringify({
      action_id: crypto.randomUUID(),
      cluster_id: crypto.randomUUID(),
      reason: 'nodeTermination',
    });
  await writeFile(bodies, Array.from({ length: count }, body).join('\n'));
  const child = spawn(process.execPath, [...nodeFlags, PROGRAM, file, api.url, bodies], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  resources.defer(async () => {
    child.kill();
    await ended;
  });
  await once(child.stdout, 'data');
  const at = Date.now();
  await writeFile(file, '');
  await until(() => api.entries.length >= count, { what: `${count} bare restores`, everyMs: 5 });
  const calls = api.entries.map((entry) => Date.parse(entry.at) - at);
  return { firstMs: Math.min(...calls), lastMs: Math.max(...calls) };
}
