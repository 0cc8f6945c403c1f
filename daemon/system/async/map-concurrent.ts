/**
 * Calls `body` for each item, at most `most` at a time, and resolves to the results in the order of the items. After
 * a rejection it starts no more, waits for what is running, and rejects with the first error.
 */
export async function mapConcurrent<Item, Result>(
  most: number,
  items: readonly Item[],
  body: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  const failures: unknown[] = [];
  let next = 0;
  async function worker(): Promise<void> {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        results[index] = await body(items[index]!);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
