import fc from 'fast-check'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { continuationKey, createPaging, type Paging } from './paging.ts'

const paging = createPaging(continuationKey('a secret'))

async function read(query: string, token: string) {
  const app = new Hono()
  app.get('/', (c) => c.json(paging.read(c, query)))
  app.onError((error, c) => c.text(error.message, 400))
  const response = await app.request('/', { headers: { 'x-ms-continuation': token } })
  return response.ok ? response.json() : response.text()
}

function tokenOf({ reply }: Paging, query: string, continuation: string): string {
  return reply('Twin', query, { items: [], continuation }).headers.get('x-ms-continuation') ?? ''
}

describe('a continuation token', () => {
  it('brings back any position, whatever its characters, for its own query only', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string(), async (position, query) => {
        const token = tokenOf(paging, query, position)

        expect(token).toMatch(/^[\w.-]+$/)
        expect(await read(query, token)).toEqual({ limit: 100, after: position })
        expect(await read(`${query}.`, token)).toContain('is not from a page of this query')
      }),
    )
  })

  it('of another hub is refused', async () => {
    const other = createPaging(continuationKey('another secret'))
    const token = tokenOf(other, 'q', 'here')

    expect(await read('q', token)).toContain('is not from a page of this query')
  })
})
