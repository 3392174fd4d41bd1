import { writeJson } from '@muster/contract/numbers'
import type { Access } from './credentials.ts'
import { errorOf, MusterError } from './muster-error.ts'

/** What every call takes. */
export interface CallOptions {
  /** Ends the call; it then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
  /** How long one try may take until its answer is there; by default that of the client. */
  readonly timeoutMs?: number | undefined
}

/** One call of the API. */
export interface Call extends CallOptions {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** From the root, with encoded ids. */
  readonly path: string
  /** Members that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  /** It changes nothing, so it may be repeated when the hub cannot say whether it was carried out. */
  readonly isSafe: boolean
}

export interface ExchangeOptions {
  readonly fetch: typeof fetch
  readonly timeoutMs: number
}

/** An answer whose JSON was read. The caller says what it is; it is not checked. */
interface Answer<Reply> {
  readonly reply: Reply
  readonly headers: Headers
}

/** The calls of one client. Each rejects with MusterError for any status but 2xx, and when there is no answer in time. */
export interface Exchange {
  /** The answer, its body unread; the time limit is for its head. */
  send(call: Call): Promise<Response>
  readWithHeaders<Reply>(call: Call): Promise<Answer<Reply>>
  read<Reply>(call: Call): Promise<Reply>
}

const apiVersion = '2021-04-12'
const triesMax = 6
const waitMaxMs = 30_000
/** A timer with more ends at once. */
const timerMsMax = 2 ** 31 - 1

/** Tries a call that is refused for its rate, or for a lost store, six times at most. */
export function createExchange(access: Access, options: ExchangeOptions): Exchange {
  async function perform<Result>(call: Call, take: (response: Response) => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(call, take)
      } catch (error) {
        if (tries === triesMax || !isWorthRepeating(call, error)) throw error
        await wait(Math.min(waitMaxMs, error.retryAfterMs ?? 500 * 2 ** tries), call.signal)
      }
    }
  }

  async function attempt<Result>(call: Call, take: (response: Response) => Promise<Result>): Promise<Result> {
    const limit = new AbortController()
    const limitMs = Math.min(timerMsMax, call.timeoutMs ?? options.timeoutMs)
    const timer = setTimeout(() => limit.abort(), limitMs)
    try {
      const response = await options.fetch(urlOf(access.url, call), {
        ...(await requestOf(access, call)),
        signal: call.signal === undefined ? limit.signal : AbortSignal.any([limit.signal, call.signal]),
        redirect: 'error',
      })
      if (!response.ok) throw await errorOf(response)
      return await take(response)
    } catch (error) {
      if (error instanceof MusterError) throw error
      call.signal?.throwIfAborted()
      throw limit.signal.aborted ? timedOut(call, access.url, limitMs) : unreachableHub(access.url, error)
    } finally {
      clearTimeout(timer)
    }
  }

  async function readWithHeaders<Reply>(call: Call): Promise<Answer<Reply>> {
    const { text, headers } = await perform(call, async (response) => ({
      text: await response.text(),
      headers: response.headers,
    }))
    try {
      return { reply: text === '' ? null : JSON.parse(text), headers }
    } catch (cause) {
      throw new MusterError('UnknownAnswer', { message: `${access.url.origin} did not answer in JSON`, cause })
    }
  }

  return {
    send: (call) => perform(call, async (response) => response),
    readWithHeaders,
    read: async (call) => (await readWithHeaders<never>(call)).reply,
  }
}

/** A call that was refused for its rate was not carried out. After a 503 nobody knows. */
function isWorthRepeating({ isSafe }: Call, error: unknown): error is MusterError {
  return error instanceof MusterError && (error.status === 429 || (error.status === 503 && isSafe))
}

function urlOf(base: URL, { path, query = {} }: Call): URL {
  const url = new URL(path, base)
  url.searchParams.set('api-version', apiVersion)
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value))
  return url
}

async function requestOf(access: Access, { method, headers = {}, body }: Call): Promise<RequestInit> {
  const given = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  const authorization = await access.authorization()
  return {
    method,
    headers: {
      ...(authorization === null ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
      ...Object.fromEntries(given),
    },
    ...(body === undefined ? {} : { body: writeJson(body) }),
  }
}

function timedOut({ method, path }: Call, { origin }: URL, limitMs: number): MusterError {
  return new MusterError('CallTimedOut', {
    message: `${origin} did not answer ${method} ${path} in ${limitMs / 1000} s`,
  })
}

function unreachableHub({ origin }: URL, cause: unknown): MusterError {
  const reason = reasonOf(cause)
  const advice = isAboutCertificate(cause)
    ? '; set NODE_EXTRA_CA_CERTS to the file with the CA of the hub before the program starts'
    : ''
  return new MusterError('HubUnreachable', { message: `${origin} cannot be reached: ${reason}${advice}`, cause })
}

/** The hub, or something before it, shows a certificate that this program does not trust. */
export function isAboutCertificate(error: unknown): boolean {
  return /certificate|self.signed|CERT_/i.test(reasonOf(error))
}

/** `fetch failed` says nothing; its cause does. A host with several addresses has a cause for each, in one with an empty text. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ')
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : reasonOf(error.cause)
}

/** Resolves after so long. Rejects with the reason of the signal when that comes first. */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
