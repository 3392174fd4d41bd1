import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { longBodyOf } from './long-body.ts'

const bytes = new TextEncoder().encode('a row')

/** An answer that sends a part, and then nothing. */
function stalled(onCancel: () => void = () => undefined): Response {
  return new Response(new ReadableStream({ start: (controller) => controller.enqueue(bytes), cancel: onCancel }))
}

describe('the body of a long answer', () => {
  it('is what the hub sends, also when that is nothing', async () => {
    expect(await text(longBodyOf(new Response('rows'), {}))).toBe('rows')
    expect(await text(longBodyOf(new Response(null), {}))).toBe('')
  })

  it('fails when nothing more comes, and its connection is ended', async () => {
    let isCancelled = false
    const response = stalled(() => {
      isCancelled = true
    })
    const body = longBodyOf(response, { silenceMs: 20 })

    await expect(text(body)).rejects.toMatchObject({
      code: 'CallTimedOut',
      message: 'the hub sent no more of its answer for 0.02 s',
    })
    expect(isCancelled).toBe(true)
  })

  it('fails with an error of the client when the connection is lost', async () => {
    const lost = new TypeError('terminated', { cause: new Error('other side closed') })
    const response = new Response(new ReadableStream({ pull: (controller) => controller.error(lost) }))

    await expect(text(longBodyOf(response, {}))).rejects.toMatchObject({
      code: 'HubUnreachable',
      message: 'the answer of the hub was cut off: other side closed',
      cause: lost,
    })
  })

  it('ends its connection when the reader has had enough', async () => {
    let isCancelled = false
    const response = stalled(() => {
      isCancelled = true
    })

    for await (const part of longBodyOf(response, {})) {
      expect(part).toEqual(bytes)
      break
    }
    expect(isCancelled).toBe(true)
  })
})
