/*
 * npm run demo: the main job, on real Slurm under real systemd, with real CRIU: a job counts on one node, the node
 * is drained, and the same job counts on at the next number on another node.
 */
import { strict as assert } from 'node:assert';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../daemon/engine/manifest.ts';
import { askDaemon, CLUSTER_ID } from '../cluster/ckptd-lab.ts';
import { EngineLab, STORE } from '../cluster/engine-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import { Timeline } from './timeline.ts';

const timeline = new Timeline();

timeline.heading(
  'A Slurm cluster: one controller and two compute nodes, each a container with its own systemd',
);
await using cluster = await EngineLab.start({
  config: { heartbeat: { every: '10s', splay: '0s', min_age: '0s' } },
});
const { lab } = cluster;
const n1 = lab.node('n1');
timeline.say('cluster', (await lab.ctl.run(['sinfo', '-N', '-o', '%N  %T'])).stdout.trim());
for (const unit of ['ckptd', 'ckptd-engine']) timeline.say('systemd', await statusLine(n1, unit));

timeline.heading('A user submits a shell script that counts. Nothing in it knows of checkpoints');
timeline.say(
  'alice',
  (await readFile(join(import.meta.dirname, '../jobs/count.sh'), 'utf8')).match(/^until.*?^done$/ms)![0],
);
const jobId = await cluster.running('count.sh', { options: ['--job-name=simulation'], env: { END: '7' } });
timeline.say('alice', `sbatch simulation.sh: job ${jobId} runs on n1`);

timeline.heading('Heartbeats: a checkpoint every 10 s, while the job runs on');
const seen: string[] = [];
while (seen.length < 2) {
  const actionId = await cluster.newCheckpoint(n1, jobId, seen);
  seen.push(actionId);
  timeline.say(
    'engine',
    `${await tellCheckpoint(actionId)}; the job has counted to ${(await cluster.counted(jobId)).count}`,
  );
}

timeline.heading('An administrator drains the node');
const drainedAt = performance.now();
await lab.drain('n1', 'fan failure');
timeline.say('admin', 'scontrol update nodename=n1 state=drain reason="fan failure"');
const stoppedAt = await cluster.moved(jobId, 'n1', 1);
const tookMs = performance.now() - drainedAt;
timeline.say('engine', `froze, dumped and requeued job ${jobId}, which had counted to ${stoppedAt}`);
const now = await cluster.counted(jobId);
timeline.say('slurm', (await lab.ctl.run(['squeue', '-o', '%.5i %.12j %.8T %N'])).stdout.trimEnd());
timeline.say(
  'job',
  `the same job counts on at n2, and is at ${now.count}, ${(tookMs / 1000).toFixed(1)} s after the drain`,
);

timeline.heading(`What ckptd on n1 says it did: GET /v1/history?job=${jobId}`);
const { body } = await askDaemon(n1, `/v1/history?job=${jobId}`);
const { history } = body as { history: { time: string; message: string }[] };
for (const { time, message } of history.slice(-12)) console.log(`   ${time.slice(11, 23)}  ${message}`);

timeline.heading('The job ends by itself, with the exit status that it always had');
const ended = await cluster.finish(jobId, 'FAILED');
timeline.say(
  'slurm',
  `job ${jobId}: exit status ${ended['ExitCode']}, restarts ${ended['Restarts']}, node ${ended['NodeList']}`,
);
timeline.say('output', await excerpt());

timeline.heading('Checked');
const { starts, count, last, problems } = await cluster.counted(jobId);
assert.deepEqual(problems, [], 'no number is missing, and none is there twice');
assert.equal(last, count, 'the output is whole');
assert.deepEqual(starts, ['n1'], 'it began once, on n1');
assert.deepEqual([ended['ExitCode'], ended['Restarts'], ended['NodeList']], ['7:0', '1', 'n2']);
assert.ok(stoppedAt > 0 && count > stoppedAt, 'it went on after the move');
console.log(`   1 to ${count}: not a number is missing or there twice, over two nodes and one job id`);
timeline.say('cluster', 'is torn down, and nothing of it is left');

async function tellCheckpoint(actionId: string): Promise<string> {
  const path = `${STORE}/${CLUSTER_ID}/${jobId}/${actionId}/manifest.json`;
  const { reason, frozenMs, images } = JSON.parse(await n1.readFile(path)) as Manifest;
  const kilobytes = images.reduce((sum, { storedBytes }) => sum + storedBytes, 0) / 1024;
  return `checkpoint ${actionId.slice(0, 8)}… (${reason}): frozen for ${frozenMs.toFixed(0)} ms, ${kilobytes.toFixed(0)} KiB`;
}

/** The output where it was moved, as it is in the file. */
async function excerpt(): Promise<string> {
  const lines = (await cluster.output(jobId)).trimEnd().split('\n');
  const at = lines.indexOf(`i=${stoppedAt}`);
  const cut = [lines.slice(0, 3), lines.slice(Math.max(3, at - 2), at + 3), lines.slice(-2)];
  return cut.map((part) => part.join('  ')).join('  …  ');
}

async function statusLine(node: LabNode, unit: string): Promise<string> {
  const { stdout } = await node.run(['systemctl', 'show', unit, '-p', 'ActiveState', '-p', 'StatusText']);
  return `${unit} on ${node.name}: ${stdout.trim().replaceAll('\n', ', ')}`;
}
