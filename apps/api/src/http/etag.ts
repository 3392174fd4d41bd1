import type { Context } from 'hono'

/** `If-Match` of a request. `etag` is null when any etag is good. */
export interface IfMatch {
  readonly isGiven: boolean
  readonly etag: string | null
}

/** Reads `If-Match`: an etag or `*`, with or without quotes. */
export function readIfMatch(c: Context): IfMatch {
  const header = c.req.header('if-match')?.trim()
  if (!header) return { isGiven: false, etag: null }
  const etag = unquote(header)
  return { isGiven: true, etag: etag === '*' ? null : etag }
}

/** Etags have no quotes in JSON, and quotes in headers. */
export function etagHeader(etag: string): { readonly etag: string } {
  return { etag: `"${etag}"` }
}

export function unquote(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1')
}
