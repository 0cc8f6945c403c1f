/*
 * npm run demo: the main job, on real Slurm under real systemd. What is not real here is the checkpoint service: a
 * stand-in of Cedana's API, which accepts nothing but what its OpenAPI text allows, keeps no images, and so begins
 * a restored job anew as a new job.
 */
import { strict as assert } from 'node:assert';
import { CkptdLab, COUNT } from '../cluster/ckptd-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import type { Entry } from '../support/cedana/entry.ts';
import { Timeline } from './timeline.ts';

const timeline = new Timeline();
const JOB = { script: COUNT, options: ['--job-name=simulation', '--output=/shared/simulation-%j.txt'] };

timeline.heading(
  'A Slurm cluster: one controller and two compute nodes, each a container with its own systemd',
);
await using ckptd = await CkptdLab.start({
  nodes: 2,
  config: {
    slurm: { poll_node: '2s' },
    heartbeat: { every: '10s', splay: '0s', min_age: '0s' },
    restore: { source_job: 'cancel', skip_reasons: ['^maintenance'] },
  },
  onEntry: tellRequest,
});
const { lab, api } = ckptd;
const n1 = lab.node('n1');
timeline.say('cluster', (await lab.ctl.run(['sinfo', '-N', '-o', '%N  %T'])).stdout.trim());
timeline.say('systemd', await statusLine(n1));

timeline.heading('A user submits a job. Nothing in it knows of checkpoints');
const jobId = await lab.submit({ ...JOB, options: [...JOB.options, '--nodelist=n1'] });
await lab.waitForJob(jobId, 'RUNNING');
await ckptd.waitUntilWatched(n1, jobId);
timeline.say('alice', `sbatch simulation.sh: job ${jobId} runs on n1`);

timeline.heading('Heartbeats: a checkpoint every 10 s');
await ckptd.waitForRequests('checkpoint', 2, 40_000);
timeline.say('systemd', await statusLine(n1));

timeline.heading('An administrator drains the node');
api.service.behaviour.onRestore = async () => {
  const restored = await lab.submit(JOB);
  timeline.say('service', `brings the job back as job ${restored} (this stand-in: from its beginning)`);
};
const drainedAt = performance.now();
await lab.drain('n1', 'fan failure');
timeline.say('admin', 'scontrol update nodename=n1 state=drain reason="fan failure"');
await ckptd.waitForRequests('restore', 1);
const tookMs = performance.now() - drainedAt;
await lab.waitForJob(jobId, 'CANCELLED');
timeline.say(
  'ckptd',
  `asked for the restore ${(tookMs / 1000).toFixed(1)} s after the drain (poll_node is 2 s)`,
);
timeline.say('slurm', (await lab.ctl.run(['squeue', '-o', '%.5i %.12j %.8T %N'])).stdout.trimEnd());

timeline.heading(`What ckptd says it did: GET /v1/history?job=${jobId}`);
const { body } = await ckptd.ask(n1, `/v1/history?job=${jobId}`);
for (const { time, message } of (body as { history: { time: string; message: string }[] }).history.slice(
  -12,
)) {
  console.log(`   ${time.slice(11, 23)}  ${message}`);
}

timeline.heading('Checked');
const heartbeats = ckptd
  .requests('checkpoint')
  .filter(({ body: { reason } }) => reason === 'heartbeat').length;
const restores = ckptd.requests('restore');
assert.equal(restores.length, 1, 'exactly one restore');
assert.equal(restores[0]?.body['reason'], 'nodeUnschedulable');
assert.ok(tookMs <= 3_000, 'within poll_node + 1 s');
assert.deepEqual(api.violations, [], 'every request keeps to the API');
console.log(`   ${heartbeats} heartbeats and one restore, every request as the API's OpenAPI text has it`);
timeline.say('cluster', 'is torn down, and nothing of it is left');

function tellRequest({ route, body, answer }: Entry): void {
  if (route !== 'checkpoint' && route !== 'restore') return;
  const { job_id, kind, reason, action_id } = JSON.parse(body);
  const id = answer?.body.replaceAll('"', '').slice(0, 8);
  const what =
    route === 'checkpoint' ? `job ${job_id}, ${kind}` : `from checkpoint ${action_id.slice(0, 8)}…`;
  timeline.say('ckptd → API', `${route} (${reason}) ${what}  ⇒  ${answer?.status} ${id}…`);
}

async function statusLine(node: LabNode): Promise<string> {
  const { stdout } = await node.run(['systemctl', 'show', 'ckptd', '-p', 'ActiveState', '-p', 'StatusText']);
  return `ckptd on ${node.name}: ${stdout.trim().replaceAll('\n', ', ')}`;
}
