/**
 * Begins the work on each item as it comes. No item waits for another, and one that fails ends none. Waits for all, then rejects with
 * the first failure.
 */
export async function eachAtOnce<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const works: Promise<void>[] = []
  const failures: unknown[] = []
  const keep = (failure: unknown) => void failures.push(failure)
  const begin = async () => {
    for await (const item of items) works.push(work(item).catch(keep))
  }
  await begin().catch(keep)
  await Promise.all(works)
  if (failures.length > 0) throw failures[0]
}
