import { setMaxListeners } from 'node:events'
import { Agent, type RequestOptions, request } from 'node:https'
import { signSasToken } from '@muster/auth'
import { z } from 'zod'
import { messageOf } from './failure.ts'

/** A hub's service API, and a policy that may use it. */
export interface HubApi {
  /** The name of the hub in tokens. */
  readonly hostName: string
  /** Where to connect, when that is not `hostName`. */
  readonly gatewayHost?: string
  readonly httpsPort: number
  /** Certificates to trust, PEM. */
  readonly ca: string
  readonly policyName: string
  /** Base64. */
  readonly key: string
}

export interface HubReply {
  readonly status: number
  readonly body: unknown
}

export interface HubClient extends Disposable {
  /** Rejects when the hub cannot be reached, does not answer in 30 s, or answers anything but JSON. */
  send(method: string, path: string, body?: unknown): Promise<HubReply>
}

/** Calls that are sent together wait for one of eight connections. `signal` ends them all. */
export function createHubClient(hub: HubApi, signal: AbortSignal): HubClient {
  // Each waiting call listens to it; Node would warn of a leak from the eleventh on.
  setMaxListeners(0, signal)
  // node:https and not fetch, because fetch cannot be given the certificates to trust.
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: hub.ca })
  return {
    send: (method, path, body) =>
      exchange(
        {
          agent,
          method,
          host: hub.gatewayHost ?? hub.hostName,
          port: hub.httpsPort,
          path: `${path}?api-version=2021-04-12`,
          headers: { authorization: authorize(hub), 'content-type': 'application/json; charset=utf-8' },
          timeout: answerTimeoutMs,
          signal,
        },
        body === undefined ? '' : JSON.stringify(body),
      ),
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** The text of an error reply, in one line. */
export function complaintOf({ status, body }: HubReply): string {
  const parsed = z.object({ Message: z.string() }).safeParse(body)
  return `the hub answered ${status}${parsed.success ? `: ${parsed.data.Message}` : ''}`
}

const answerTimeoutMs = 30_000

function authorize({ hostName, key, policyName }: HubApi): string {
  return signSasToken({ resource: hostName, key, policyName, expiresAt: new Date(Date.now() + 3_600_000) })
}

function exchange(options: RequestOptions, body: string): Promise<HubReply> {
  const target = `https://${options.host}:${options.port}`
  return new Promise((resolve, reject) => {
    const sent = request(options, async (response) => {
      try {
        const text = Buffer.concat(await response.toArray()).toString()
        resolve({ status: response.statusCode ?? 0, body: text === '' ? null : JSON.parse(text) })
      } catch (cause) {
        reject(new Error(`${target} did not answer in JSON`, { cause }))
      }
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${answerTimeoutMs / 1000} s`)))
    sent.on('error', (cause) => reject(new Error(`${target} cannot be reached: ${messageOf(cause)}`, { cause })))
    sent.end(body)
  })
}
