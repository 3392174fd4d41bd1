/** So long a group waits for more, in ms: no more than 50 statements a second, where each message was one (docs/adr/0004). */
const gatherMs = 20
/** A group that has become so large waits for no more. In bytes of a statement. */
const bytesMax = 1024 * 1024

interface Group<Item> {
  readonly items: Item[]
  bytes: number
  close(): void
  readonly handled: Promise<void>
}

/**
 * Gathers items for a moment and handles them together. Who adds one waits for its group, and gets its error. A group waits for no
 * other: Postgres may take longer for one than it takes to gather the next.
 */
export function inGroups<Item>(
  bytesOf: (item: Item) => number,
  handle: (items: readonly Item[]) => Promise<void>,
): (item: Item) => Promise<void> {
  let open: Group<Item> | null = null

  function newGroup(): Group<Item> {
    const items: Item[] = []
    let close = () => {}
    const closed = new Promise<void>((resolve) => {
      const timer = setTimeout(() => close(), gatherMs)
      close = () => {
        clearTimeout(timer)
        open = null
        resolve()
      }
    })
    return { items, bytes: 0, close, handled: closed.then(() => handle(items)) }
  }

  return (item) => {
    const group = open ?? newGroup()
    open = group
    group.items.push(item)
    group.bytes += bytesOf(item)
    if (group.bytes >= bytesMax) group.close()
    return group.handled
  }
}
