import type { Call, CallOptions, Exchange } from './exchange.ts'

/** Items that the hub gives page by page. A page is asked for when the one before it has been taken. */
export interface Pages<Item> extends AsyncIterable<Item> {
  /** The same, a page at a time. */
  pages(): AsyncIterable<readonly Item[]>
}

export interface PageOptions extends CallOptions {
  /** At most so many items of a page, 1 to 1000. */
  readonly pageSize?: number | undefined
}

interface Page<Item> {
  readonly items: readonly Item[]
  /** Null: this is the last page. */
  readonly continuation: string | null
}

/** `read` gets null for the first page, and then what the page before it gave. */
export function pagesOf<Item>(read: (continuation: string | null) => Promise<Page<Item>>): Pages<Item> {
  async function* pages() {
    for (let continuation: string | null = null; ; ) {
      const page: Page<Item> = await read(continuation)
      yield page.items
      if (page.continuation === null) return
      continuation = page.continuation
    }
  }
  return {
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* page
    },
  }
}

/** A list whose pages hand on their continuation in a header. */
export function listOf<Item>(exchange: Exchange, call: Call, { pageSize, ...options }: PageOptions = {}): Pages<Item> {
  return pagesOf(async (continuation) => {
    const { reply, headers } = await exchange.readWithHeaders<readonly Item[]>({
      ...call,
      ...options,
      headers: { 'x-ms-max-item-count': pageSize?.toString(), 'x-ms-continuation': continuation ?? undefined },
    })
    return { items: reply, continuation: headers.get('x-ms-continuation') }
  })
}
