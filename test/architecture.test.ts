import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const DAEMON = resolve(import.meta.dirname, '../daemon');

/** What each folder may import besides itself: data flows one way, and so do the imports. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  vocabulary: [],
  system: ['vocabulary'],
  config: ['vocabulary', 'system'],
  slurm: ['vocabulary', 'system'],
  http: ['vocabulary', 'system'],
  sources: ['vocabulary', 'system', 'config', 'slurm', 'http'],
  decide: ['vocabulary'],
  journal: ['vocabulary', 'system'],
  perform: ['vocabulary', 'system', 'config', 'slurm', 'journal'],
  run: ['vocabulary', 'system', 'config', 'slurm', 'http', 'sources', 'decide', 'journal', 'perform'],
  engine: ['vocabulary', 'system', 'config', 'slurm', 'http'],
};

/** Modules that reach the world: no rule of the product may depend on them. */
const IMPURE = /^node:|\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)|\bprocess\.|\bfetch\(/;

function files(folder: string): string[] {
  return readdirSync(join(DAEMON, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(DAEMON, folder, name));
}

function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

test.each(Object.entries(MAY_IMPORT))('%s imports only what lies before it', (folder, allowed) => {
  const sources = files(folder);
  expect(sources).not.toEqual([]);
  const wrong = sources.flatMap((file) =>
    imports(file)
      .filter((name) => name.startsWith('.') && !name.endsWith('/package.json'))
      .map((name) => relative(DAEMON, resolve(dirname(file), name)).split('/')[0] ?? '')
      .filter((target) => target !== folder && !allowed.includes(target))
      .map((target) => `${relative(DAEMON, file)} imports ${target}/`),
  );
  expect(wrong).toEqual([]);
});

test('every folder of the daemon has its place in the order', () => {
  const folders = readdirSync(DAEMON, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(MAY_IMPORT).sort());
});

test('decide has no clock, no chance and no I/O', () => {
  const wrong = files('decide').flatMap((file) => {
    const outside = imports(file).filter((name) => !name.startsWith('.'));
    const lines = readFileSync(file, 'utf8').split('\n');
    return [...outside, ...lines.filter((line) => !/^\s*(\*|\/)/.test(line) && IMPURE.test(line))];
  });
  expect(wrong).toEqual([]);
});
