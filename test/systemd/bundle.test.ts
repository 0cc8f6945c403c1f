import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle } from '../../systemd/bundle.ts';
import { REPOSITORY } from './checkout.ts';

let dir: string;
let text: string;
let outFile: string;
let imports: readonly { path: string }[];

/** All that the daemon depends on, used once. */
const ENTRY = `
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import * as cron from 'node-cron';
import * as v from 'valibot';
import { parseDocument } from 'yaml';
import { systemExec } from '${REPOSITORY}/daemon/system/process/exec.ts';
import { systemLog } from '${REPOSITORY}/daemon/system/log/log.ts';

const found: Record<string, unknown> = {};
const socket = process.argv[2]!;
found['yaml'] = v.parse(v.strictObject({ a: v.number() }), parseDocument('a: 1').toJS());
found['cron'] = cron.validate('*/15 * * * *');
found['sqlite'] = new DatabaseSync(':memory:').prepare('SELECT 1 AS one').get();
const server = createServer((_, response) => response.end('here'));
await new Promise<void>((resolve) => server.listen(socket, resolve));
const { default: Client } = await import('undici/lib/dispatcher/client.js');
const client = new Client('http://localhost', { socketPath: socket, allowH2: false });
found['http'] = await new Promise((resolve, reject) => {
  let body = '';
  client.dispatch({ method: 'GET', path: '/' }, {
    onRequestStart() {}, onResponseStart() {}, onResponseData: (_, chunk) => { body += chunk; },
    onResponseEnd: () => resolve(body), onResponseError: (_, error) => reject(error),
  });
});
await client.close();
server.close();
found['exec'] = (await systemExec().run({ kind: 'x', file: '/bin/echo', args: ['hi'], timeoutMs: 5000 })).stdout.toString();
function aNameForStackTraces() { throw new Error('on purpose'); }
try { aNameForStackTraces(); } catch (error) { systemLog({ format: 'json' }).error({ err: error }, 'failed'); }
console.log(JSON.stringify(found));
`;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ckptd-bundle-'));
  // Inside the checkout's reach, so that packages are found.
  const entry = join(REPOSITORY, 'node_modules', `.ckptd-bundle-test-${process.pid}.ts`);
  outFile = join(dir, 'out.mjs');
  writeFileSync(entry, ENTRY);
  try {
    const { metafile } = await bundle(entry, outFile);
    imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  } finally {
    rmSync(entry);
  }
  text = readFileSync(outFile, 'utf8');
});
afterAll(() => rmSync(dir, { recursive: true }));

test('a bundle runs without node_modules, with the flags of the unit', () => {
  const unit = readFileSync(join(REPOSITORY, 'systemd/ckptd.service'), 'utf8');
  const command = /^ExecStart=((?:.*\\\n)*.*)$/m.exec(unit)?.[1] ?? '';
  const flags = command.split(/[\s\\]+/).filter((word) => /^--(?!config)/.test(word));
  expect(flags.length).toBeGreaterThan(3);
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, outFile, join(dir, 'sock')], {
    cwd: dir,
    env: {},
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    yaml: { a: 1 },
    cron: true,
    sqlite: { one: 1 },
    http: 'here',
    exec: 'hi\n',
  });
  expect(JSON.parse(stderr).err.stack).toContain('aNameForStackTraces');
});

// Not `expect(text)`: a failure would print the whole bundle.
test("Node's modules are not imported as modules: node:http alone would cost 13 MB", () => {
  expect(imports).toEqual([]);
  expect(text.includes('process.getBuiltinModule("node:http")')).toBe(true);
});

test('every character takes one byte in memory', () => {
  expect(/[^\x00-\x7f]/.exec(text)?.[0]).toBeUndefined();
});

test('licences of what is in it lie beside it', () => {
  const legal = readFileSync(`${outFile}.LEGAL.txt`, 'utf8');
  for (const name of ['undici', 'pino', 'yaml', 'valibot', 'node-cron'])
    expect(legal).toContain(`\n${name} `);
  expect(legal.match(/Permission is hereby granted|Permission to use, copy/g)?.length).toBeGreaterThan(5);
});
