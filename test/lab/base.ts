import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from './exec.ts';
import { LabError } from './lab-error.ts';
import { withLock } from './lock.ts';
import { debianMirror } from './mirror.ts';
import { isMountedFrom } from './mounts.ts';
import { nodeRecipe, type Recipe, recipeKey } from './recipe.ts';

/** Where root file systems and downloaded packages stay between runs, outside the checkout. */
export const cacheDir = process.env['CKPTD_LAB_CACHE'] ?? '/var/cache/ckptd-lab';

const unusedDays = 14;

/**
 * Path of the root file system for `recipe`, which is built first if this machine has none (about 80 s).
 * It is shared by all nodes and must only ever be the lower layer of an overlay.
 * Throws LabError with the end of debootstrap's output if that fails.
 */
export async function baseRoot(recipe: Recipe = nodeRecipe): Promise<string> {
  const root = join(cacheDir, `root-${recipeKey(recipe)}`);
  if (!(await exists(root))) {
    await withLock(
      `build ${cacheDir}`,
      async () => {
        if (!(await exists(root))) await build(recipe, root);
      },
      () => say('waiting for another process that builds a root file system'),
    );
  }
  await utimes(root, new Date(), new Date());
  return root;
}

async function build(recipe: Recipe, root: string): Promise<void> {
  say(`building the root file system ${root} (once, about 80 s)`);
  const packageCache = join(cacheDir, 'packages');
  const building = join(cacheDir, 'building');
  // Under the lock nobody else builds: what is here was left by a builder that died.
  await rm(building, { recursive: true, force: true });
  await mkdir(packageCache, { recursive: true });
  const mirror = await debianMirror();
  const options = [
    '--variant=minbase',
    `--cache-dir=${packageCache}`,
    `--include=${recipe.packages.join(',')}`,
  ];
  // Every Debian suite is bootstrapped by the same script; an older debootstrap only lacks the newer name.
  const script = '/usr/share/debootstrap/scripts/sid';
  try {
    await contained('debootstrap', [...options, recipe.suite, building, mirror.uri, script], mirror.env);
    await contained('chroot', [building, 'sh', '-ec', recipe.configure], {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    });
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
  await rename(building, root);
  await forgetUnused();
}

/** Runs a command whose mounts and processes vanish with it, and which itself does not outlive this process. */
async function contained(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const cage = ['--pdeathsig=KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const result = await exec('setpriv', [...cage, command, ...args], {
    env,
    all: true,
    reject: false,
    stdin: 'ignore',
  });
  if (result.failed) {
    const tail = result.all?.split('\n').slice(-15).join('\n') ?? '';
    throw new LabError(`building the root file system: ${command} failed: ${result.shortMessage}\n${tail}`);
  }
}

async function forgetUnused(): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    const path = join(cacheDir, name);
    if (!name.startsWith('root-') || (await isMountedFrom(path))) continue;
    const days = (Date.now() - (await stat(path)).mtimeMs) / 86_400_000;
    if (days > unusedDays) await rm(path, { recursive: true, force: true });
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

function say(message: string): void {
  console.error(`lab: ${message}`);
}
