import type { Context } from 'hono'

/** `If-Match` of a request. `etag` is null when any state will do. */
export interface IfMatch {
  readonly isGiven: boolean
  readonly etag: string | null
}

/** Reads `If-Match`: an etag, quoted or bare, or `*`, quoted or bare. */
export function readIfMatch(c: Context): IfMatch {
  const header = c.req.header('if-match')?.trim()
  if (!header) return { isGiven: false, etag: null }
  const etag = unquote(header)
  return { isGiven: true, etag: etag === '*' ? null : etag }
}

/** Etags stand bare in JSON and quoted in headers. */
export function etagHeader(etag: string): { readonly etag: string } {
  return { etag: `"${etag}"` }
}

export function unquote(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1')
}
