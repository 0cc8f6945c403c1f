/**
 * Builds `dist/*.mjs`, one file a program, which Node runs without `node_modules`, and what is in C beside them as
 * far as this machine can (native.ts). `node systemd/bundle.ts`.
 *
 * Smaller on disk is not the aim, smaller in memory is: by rewriting how Node's own modules are imported, the same
 * daemon takes 13 MB less (see `builtins`).
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { buildNative, slurmRelease } from './native.ts';

const ROOT = join(import.meta.dirname, '..');

/** The programs, by the name of their bundle. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  ckptd: 'daemon/ckptd.ts',
  'ckptd-engine': 'daemon/engine/ckptd-engine.ts',
  'ckptd-as-owner': 'daemon/engine/owner/program/main.ts',
};

/**
 * `import http from 'node:http'` reads every property of the module to make named exports of them, and one of
 * those getters (`http.WebSocket`) loads the whole of Node's own undici: 13 MB that nobody uses.
 * `process.getBuiltinModule` reads none. CommonJS dependencies get their `require('fs')` from here too.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:node:)?[a-z_0-9/]+$/ }, ({ path }) =>
      isBuiltin(path)
        ? { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(`node:${path}`)});`,
      loader: 'js',
    }));
  },
};

/** The API client says `allowH2: false`; undici would load `node:http2` all the same, which is 5 MB. */
const withoutHttp2: Plugin = {
  name: 'without-http2',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]undici[/\\]lib[/\\]dispatcher[/\\]client-h2\.js$/ }, () => ({
      contents: `module.exports = () => { throw new Error('HTTP/2 is left out of this bundle (systemd/bundle.ts)'); };`,
      loader: 'js',
    }));
  },
};

/** Bundles one program into `outFile`, with a source map and the licences of what is in it beside it. */
export async function bundle(entry: string, outFile: string): Promise<{ metafile: Metafile }> {
  const { metafile } = await build({
    entryPoints: [entry],
    outfile: outFile,
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // ESM variants of packages can be shaken; the CommonJS ones cannot.
    mainFields: ['module', 'main'],
    // Names stay: stack traces in a bug report have to mean something.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    // One character beyond Latin-1 would make V8 hold the whole source with two bytes a character.
    charset: 'ascii',
    sourcemap: 'external',
    sourcesContent: false,
    // Most packages have their licence in a file, not in a comment: see `licences`.
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    plugins: [builtins, withoutHttp2],
  });
  writeFileSync(`${outFile}.LEGAL.txt`, licences(metafile));
  return { metafile };
}

/** The licence of every package that a bundle has code of. Throws for a package that brings none. */
function licences({ inputs }: Metafile): string {
  const folders = Object.keys(inputs).map(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0],
  );
  const packages = [...new Set(folders.filter((folder) => folder !== undefined))].sort();
  const texts = packages.map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    const files = readdirSync(join(ROOT, folder)).filter((file) => /^(?:licen[cs]e|notice)/i.test(file));
    if (files.length === 0) throw new Error(`${name} ${version} has no licence file`);
    const text = files.map((file) => readFileSync(join(ROOT, folder, file), 'utf8').trim()).join('\n\n');
    return `${'='.repeat(80)}\n${name} ${version}\n\n${text}\n`;
  });
  return `This bundle contains the following packages.\n\n${texts.join('\n')}`;
}

if (import.meta.main) {
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    const outFile = join(ROOT, 'dist', `${name}.mjs`);
    const { metafile } = await bundle(join(ROOT, entry), outFile);
    const size = Object.entries(metafile.outputs).find(([path]) => path.endsWith('.mjs'))?.[1].bytes ?? 0;
    console.log(`dist/${name}.mjs ${Math.round(size / 1024)} KiB`);
  }
  const slurmInclude = process.env['SLURM_INCLUDE'] ?? '/usr/include';
  const { built, left } = buildNative(join(ROOT, 'dist'), slurmInclude);
  for (const name of built)
    console.log(`dist/${name}${name === 'ckptd_spank.so' ? ` for Slurm ${slurmRelease(slurmInclude)}` : ''}`);
  for (const line of left) console.log(`not built: ${line}`);
}
