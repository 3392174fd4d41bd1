import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { LookupFunction } from 'node:net'

/** Of the body of an answer so much is read, to part in peace, and thrown away. */
const answerBytesMax = 64 * 1024

interface Post {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Of a URL that has a name. An address is connected to as it is. */
  readonly lookup: LookupFunction
  readonly signal: AbortSignal
}

/** Resolves with the status. Follows no redirect, and uses no connection twice. Rejects when there is no answer before the signal aborts. */
export function post(url: URL, { headers, body, lookup, signal }: Post): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestTls : requestPlain
    let status: number | null = null
    const sent = request(url, { method: 'POST', headers, agent: false, lookup, signal }, (response) => {
      const answered = response.statusCode ?? 0
      status = answered
      let bytes = 0
      response.on('data', (piece: Buffer) => {
        bytes += piece.length
        if (bytes > answerBytesMax) response.destroy()
      })
      // The status counts, also when the body breaks off or never ends.
      response.on('error', () => resolve(answered))
      response.on('close', () => resolve(answered))
    })
    sent.on('error', (error) => (status === null ? reject(error) : resolve(status)))
    sent.end(body)
  })
}
