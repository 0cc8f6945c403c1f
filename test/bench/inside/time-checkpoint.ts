/*
 * Runs inside a lab's node: asks the engine for a checkpoint of a job, waits until it is published, and prints when
 * as JSON.
 */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';

export interface CheckpointTiming {
  readonly socket: string;
  readonly jobId: number;
  /** The folder of the job's checkpoints. */
  readonly folder: string;
}

export interface CheckpointTimed {
  readonly actionId: string;
  /** From the call to its answer, and to the manifest in its place, in ms. */
  readonly answeredMs: number;
  readonly readyMs: number;
}

const { socket, jobId, folder } = JSON.parse(readFileSync(0, 'utf8')) as CheckpointTiming;
const nap = new Int32Array(new SharedArrayBuffer(4));
// The first request of a process costs it some 20 ms, which ckptd, whose calls these stand for, does not pay.
await ask('GET', '/v2/user');
const startedAt = performance.now();
const body = { job_id: `${jobId}`, kind: 'simple', reason: 'manual' };
const actionId = await ask('POST', '/v2/slurm/checkpoint/job', body);
const answeredMs = performance.now() - startedAt;
while (!existsSync(`${folder}/${actionId}/manifest.json`)) {
  if (performance.now() - startedAt > 120_000)
    throw new Error(`checkpoint ${actionId} is not ready after 120 s`);
  Atomics.wait(nap, 0, 0, 1);
}
const readyMs = performance.now() - startedAt;
console.log(JSON.stringify({ actionId, answeredMs, readyMs } satisfies CheckpointTimed));

function ask(method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: socket,
      path,
      method,
      headers: { 'content-type': 'application/json' },
    };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    });
    call.on('error', reject).end(body && JSON.stringify(body));
  });
}
