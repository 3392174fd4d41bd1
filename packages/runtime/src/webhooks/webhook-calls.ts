import { lookup as lookupByName } from 'node:dns/promises'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAddressCheck } from './allowed-addresses.ts'
import { checkedLookup, fewAtOnce, notAllowed, RefusedAddressError, type Resolve } from './checked-lookup.ts'
import { post } from './post.ts'
import { signedHeaders } from './signature.ts'

/** From the lookup of the name to the end of the answer. */
const callMs = 10_000
/** How long a caller of the API waits for the lookup. */
const refusalMs = 2_000

interface WebhookCall {
  readonly url: string
  readonly secret: string
  /** Of the event: the same at each try. */
  readonly id: string
  readonly body: string
}

/** What came back. `failure` is for people, and holds no text of the receiver. Null: the status was 2xx. */
interface WebhookAnswer {
  /** Null: there was no answer. */
  readonly status: number | null
  readonly failure: string | null
}

export interface WebhookCalls {
  /** Sends an event, within 10 s. Never rejects. */
  send(call: WebhookCall): Promise<WebhookAnswer>
  /**
   * Why no event would be sent to this host, by what its name means now. Null: it may be called, or the name is not known now, or not
   * within 2 s. Each call looks again.
   */
  refusalOf(url: URL): Promise<string | null>
}

/** `allowedNetworks`: where webhooks may go beside the public internet. */
export function createWebhookCalls({
  clock,
  allowedNetworks,
  resolve = (hostname) => lookupByName(hostname, { all: true }),
  timeoutMs = callMs,
}: {
  readonly clock: { now(): Date }
  readonly allowedNetworks: readonly string[]
  readonly resolve?: Resolve
  readonly timeoutMs?: number
}): WebhookCalls {
  const isAllowed = createAddressCheck(allowedNetworks)
  const resolveOnce = fewAtOnce(resolve)
  const lookup = checkedLookup(resolveOnce, isAllowed)

  return {
    async send({ url, secret, id, body }) {
      const target = new URL(url)
      const literal = literalAddress(target)
      if (literal !== null && !isAllowed(literal)) return { status: null, failure: notAllowed(literal) }
      const headers = {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'muster-webhooks',
        ...signedHeaders(secret, { id, body, now: clock.now() }),
      }
      const signal = AbortSignal.timeout(timeoutMs)
      try {
        return answerOf(await post(target, { headers, body, lookup, signal }))
      } catch (error) {
        const failure = signal.aborted ? `no answer within ${timeoutMs / 1000} s` : failureOf(error)
        return { status: null, failure }
      }
    },
    async refusalOf(url) {
      const literal = literalAddress(url)
      const addresses = literal === null ? await soon(resolveOnce(url.hostname)) : [{ address: literal }]
      const refused = addresses.find(({ address }) => !isAllowed(address))
      return refused === undefined ? null : notAllowed(refused.address)
    },
  }
}

/** The address in a URL that has one instead of a name. The parser of URLs has written odd forms such as 0x7f.1 out. */
function literalAddress({ hostname }: URL): string | null {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  return isIP(address) === 0 ? null : address
}

async function soon(resolving: ReturnType<Resolve>): Promise<Awaited<ReturnType<Resolve>>> {
  const nothing: Awaited<ReturnType<Resolve>> = []
  return Promise.race([resolving.catch(() => nothing), sleep(refusalMs, nothing, { ref: false })])
}

function answerOf(status: number): WebhookAnswer {
  if (status >= 200 && status < 300) return { status, failure: null }
  const isRedirect = status >= 300 && status < 400
  return { status, failure: isRedirect ? `status ${status}: a redirect is not followed` : `status ${status}` }
}

/** Codes of the system and of TLS, such as ECONNREFUSED: the texts of errors may hold more than is ours. */
function failureOf(error: unknown): string {
  if (error instanceof RefusedAddressError) return error.message
  const code = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' ? `no answer: ${code}` : 'no answer: the connection failed'
}
