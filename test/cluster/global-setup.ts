import { MADE_ONCE, makeInstalled } from './stage.ts';

/** Before the first of the lab's tests, in vitest's own process: the workers, which come later, have its environment. */
export default async function setup(): Promise<() => Promise<void>> {
  const resources = new AsyncDisposableStack();
  process.env[MADE_ONCE] = JSON.stringify(await makeInstalled(resources));
  return () => resources.disposeAsync();
}
