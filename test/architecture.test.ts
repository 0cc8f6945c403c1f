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

/** Beside the folders of the engine, for all of them: its interfaces and types. The other files there make it one. */
const ENGINE_TYPES = ['manifest.ts', 'ports.ts', 'store-error.ts'];

/** What each folder of the engine may import of the engine, besides itself and ENGINE_TYPES; the lowest first. */
const ENGINE_MAY_IMPORT: Record<string, readonly string[]> = {
  config: [],
  proc: [],
  files: [],
  owner: ['proc'],
  'owner/program': ['owner'],
  'criu/images': [],
  criu: ['criu/images'],
  'store/fs': [],
  store: ['store/fs'],
  retention: ['store'],
  fence: ['config', 'proc', 'store'],
  'checkpoint/find': ['proc'],
  'checkpoint/dump': ['config', 'proc', 'files', 'owner', 'criu', 'criu/images', 'checkpoint/find'],
  checkpoint: ['proc', 'owner', 'criu', 'criu/images', 'retention', 'checkpoint/find', 'checkpoint/dump'],
  migrate: ['proc', 'criu', 'checkpoint', 'checkpoint/find', 'checkpoint/dump'],
  'restore/run': ['owner'],
  'restore/choose': ['retention', 'restore/run'],
  'restore/prepare': ['config', 'files', 'owner', 'criu', 'criu/images', 'restore/run'],
  restore: ['proc', 'owner', 'criu/images', 'restore/run', 'restore/choose', 'restore/prepare'],
  http: ['config', 'store'],
};

/** By name, each with its reason. */
const ENGINE_EXCEPTIONS: Record<string, string> = {
  'checkpoint/dump/store-all.ts imports store/fs/threads.ts':
    'writes a pending checkpoint itself, and must not keep the threads that the store counts',
  'checkpoint/create-source.ts imports store/fs/threads.ts':
    'looks on which device the store lies: a call to the store like its own, which may hang',
  'fence/look-at-store.ts imports store/fs/places.ts':
    'reads run records in a child, since a store that hangs must not keep a thread of the fence',
  'fence/look-at-store.ts imports store/fs/record.ts':
    'the same: a record that was read so is checked as the store does',
  'migrate/recover.ts imports store/until-it-answers.ts':
    'a retry of the store that the interface Store does not have',
  'migrate/settle.ts imports store/until-it-answers.ts': 'the same',
  'restore/choose/anew.ts imports store/until-it-answers.ts': 'the same',
};

/** More than this in one folder is a phone book. */
const MOST_FILES = 16;

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

/** What the files of one folder of the engine import from its other folders, each as `FILE imports FILE`. */
function importsInEngine(folder: string): { what: string; target: string }[] {
  const engine = join(DAEMON, 'engine');
  return files(join('engine', folder))
    .filter((file) => relative(engine, dirname(file)) === folder)
    .flatMap((file) =>
      imports(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => relative(engine, resolve(dirname(file), name)))
        .filter((name) => !name.startsWith('..') && !ENGINE_TYPES.includes(name))
        .map((name) => ({ what: `${relative(engine, file)} imports ${name}`, target: dirname(name) })),
    )
    .filter(({ target }) => target !== folder);
}

const isAllowed = (folder: string, target: string) => (ENGINE_MAY_IMPORT[folder] ?? []).includes(target);

test.each(Object.keys(ENGINE_MAY_IMPORT))('engine/%s imports only what lies before it', (folder) => {
  const wrong = importsInEngine(folder)
    .filter(({ what, target }) => !isAllowed(folder, target) && !(what in ENGINE_EXCEPTIONS))
    .map(({ what }) => what);
  expect(wrong).toEqual([]);
});

test('every folder of the engine has its place in the order, and no row allows one that comes later', () => {
  const folders = readdirSync(join(DAEMON, 'engine'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => relative(join(DAEMON, 'engine'), join(parentPath, name)));
  const rows = Object.keys(ENGINE_MAY_IMPORT);
  expect(folders.sort()).toEqual(rows.toSorted());
  const late = rows.flatMap((row, at) =>
    (ENGINE_MAY_IMPORT[row] ?? []).filter((name) => rows.indexOf(name) >= at),
  );
  expect(late).toEqual([]);
});

test('each row and each exception of the engine is still needed', () => {
  const found = Object.keys(ENGINE_MAY_IMPORT).flatMap((folder) =>
    importsInEngine(folder).map(({ what, target }) => ({ what, target, folder })),
  );
  const rows = Object.entries(ENGINE_MAY_IMPORT).flatMap(([folder, allowed]) =>
    allowed.map((target) => ({ folder, target })),
  );
  const idle = rows.filter(
    (row) => !found.some(({ folder, target }) => folder === row.folder && target === row.target),
  );
  expect(idle).toEqual([]);
  const needed = found.filter(({ folder, target }) => !isAllowed(folder, target)).map(({ what }) => what);
  expect(Object.keys(ENGINE_EXCEPTIONS).filter((name) => !needed.includes(name))).toEqual([]);
});

test('the types of the engine import nothing of it but each other and its configuration', () => {
  const wrong = importsInEngine('').filter(
    ({ what, target }) => ENGINE_TYPES.some((name) => what.startsWith(`${name} `)) && target !== 'config',
  );
  expect(wrong).toEqual([]);
});

test('no folder is wider than a reader can scan', () => {
  const counts = new Map<string, number>();
  for (const file of files('.')) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  const wide = [...counts].filter(([, count]) => count > MOST_FILES);
  expect(wide.map(([folder, count]) => `${relative(DAEMON, folder)}: ${count} files`)).toEqual([]);
});

test('decide has no clock, no chance and no I/O', () => {
  const wrong = files('decide').flatMap((file) => {
    const outside = imports(file).filter((name) => !name.startsWith('.'));
    const lines = readFileSync(file, 'utf8').split('\n');
    return [...outside, ...lines.filter((line) => !/^\s*(\*|\/)/.test(line) && IMPURE.test(line))];
  });
  expect(wrong).toEqual([]);
});
