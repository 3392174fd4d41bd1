import { createHmac, timingSafeEqual } from 'node:crypto'
import { clip, HubError, limits } from '@muster/contract'
import type { Page, PageRequest } from '@muster/store'
import type { Context } from 'hono'
import { queryParameter } from './address.ts'
import { jsonTextReply } from './reply.ts'

/** How results are paged. A token is bound to the text `query`, which is the same for every page of one query. */
export interface Paging {
  /**
   * At most 1000 rows.
   * @throws HubError ArgumentInvalid for a page size that is no number, and for a token of another query
   */
  read(c: Context, query: string): PageRequest
  /** A page. The last one has no `x-ms-continuation`: for clients an empty one means another page. */
  reply(itemType: ItemType, query: string, page: Page): Response
  /** The token of the page after one, for a reply that has it in its body; undefined after the last. */
  token(query: string, page: Pick<Page, 'continuation'>): string | undefined
}

/** The SDK for C# reads this name in exact letter case, and refuses a page without it. */
export type ItemType =
  | 'Twin'
  | 'DeviceJob'
  | 'Raw'
  | 'JobResponse'
  | 'JobEvent'
  | 'Webhook'
  | 'WebhookDelivery'
  | 'Schedule'

/** A token holds a position and its signature, so that a caller can neither invent a token nor use it for another query. */
export function createPaging(key: Buffer): Paging {
  const sign = (query: string, position: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([query, position]))
      .digest()

  const token: Paging['token'] = (query, { continuation }) =>
    continuation === null
      ? undefined
      : `${Buffer.from(continuation).toString('base64url')}.${sign(query, continuation).toString('base64url')}`

  return {
    token,
    read(c, query) {
      const given = c.req.header('x-ms-continuation') || queryParameter(c, 'continuationToken')
      return { limit: readLimit(c), after: given ? openToken(given, (position) => sign(query, position)) : null }
    },
    reply(itemType, query, page) {
      const next = token(query, page)
      const headers = { 'x-ms-item-type': itemType, ...(next === undefined ? {} : { 'x-ms-continuation': next }) }
      return jsonTextReply(200, `[${page.items.join()}]`, headers)
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
    message: `continuation token "${clip(token, 40)}" is not from a page of this query; leave it out to start with the first page`,
  })
}

function readLimit(c: Context): number {
  const text = c.req.header('x-ms-max-item-count') || queryParameter(c, 'pageSize')
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
  'x-ms-max-item-count': `At most so many items of a page, 1 to ${limits.pageSizeMax}, by default ${limits.pageSizeDefault}; fewer of large ones`,
  'x-ms-continuation': 'Where the page before ended: the header of the same name in its reply',
}
export const pageQuery = {
  pageSize: 'As x-ms-max-item-count',
  continuationToken: 'As x-ms-continuation',
}
