/** The first so many items, or all of them. Asks for no page beyond. */
export async function* take<Item>(items: AsyncIterable<Item>, count: number | undefined): AsyncGenerator<Item> {
  let left = count ?? Number.POSITIVE_INFINITY
  for await (const item of items) {
    yield item
    left -= 1
    if (left <= 0) return
  }
}
