import { createHmac, timingSafeEqual } from 'node:crypto'
import { clip, HubError, limits } from '@muster/contract'
import type { Context } from 'hono'

interface PageRequest {
  /** 1 to 1000. */
  readonly limit: number
  /** Where the page before ended. Null: the first page. */
  readonly after: string | null
}

/** How results are paged. `query` is what a token is bound to: the same text for every page of one query. */
export interface Paging {
  /** @throws HubError ArgumentInvalid for a page size that is no number, and for a token that this query did not give. */
  read(c: Context, query: string): PageRequest
  /** Headers of a page. Without `x-ms-continuation` on the last one: clients take an empty one for another page. */
  headers(itemType: ItemType, query: string, after: string | null): Record<string, string>
}

/** C# parses this name with regard to case, and refuses a page without it. */
export type ItemType = 'Twin' | 'DeviceJob' | 'Raw' | 'JobResponse'

/** Tokens hold a position and its signature, so that a caller can neither make one up nor carry it to another query. */
export function createPaging(key: Buffer): Paging {
  const sign = (query: string, position: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([query, position]))
      .digest()

  return {
    read(c, query) {
      const token = c.req.header('x-ms-continuation') || c.req.query('continuationToken')
      return { limit: readLimit(c), after: token ? openToken(token, (position) => sign(query, position)) : null }
    },
    headers(itemType, query, after) {
      if (after === null) return { 'x-ms-item-type': itemType }
      const token = `${Buffer.from(after).toString('base64url')}.${sign(query, after).toString('base64url')}`
      return { 'x-ms-item-type': itemType, 'x-ms-continuation': token }
    },
  }
}

/** The key that signs the tokens of every process of a hub. */
export function continuationKey(secret: string): Buffer {
  return createHmac('sha256', secret).update('continuation tokens').digest()
}

function openToken(token: string, sign: (position: string) => Buffer): string {
  const [position, signature] = token.split('.').map((part) => Buffer.from(part, 'base64url'))
  const text = position?.toString() ?? ''
  const expected = sign(text)
  if (signature?.length === expected.length && timingSafeEqual(signature, expected)) return text
  throw new HubError('ArgumentInvalid', {
    message: `continuation token "${clip(token, 40)}" is none that this query gave; leave it out to start with the first page`,
  })
}

function readLimit(c: Context): number {
  const text = c.req.header('x-ms-max-item-count') || c.req.query('pageSize')
  if (!text) return limits.pageSizeDefault
  if (!/^-?\d+$/.test(text)) {
    throw new HubError('ArgumentInvalid', {
      message: `page size must be a whole number from 1 to ${limits.pageSizeMax}, got "${clip(text)}"`,
    })
  }
  return Math.min(Math.max(Number(text), 1), limits.pageSizeMax)
}

/** The parameters of a paged address, for the document. */
export const pageHeaders = {
  'x-ms-max-item-count': `Items of a page: 1 to ${limits.pageSizeMax}, by default ${limits.pageSizeDefault}`,
  'x-ms-continuation': 'Where the page before ended: the header of the same name in its reply',
}
export const pageQuery = {
  pageSize: 'As x-ms-max-item-count',
  continuationToken: 'As x-ms-continuation',
}
