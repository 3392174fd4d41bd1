import type { Permission } from '@muster/auth'
import type { Vocabulary } from '@muster/contract'
import type { Account, Arrival, Clock, Hub, Span, ThrottleName } from '@muster/runtime'
import type { Context } from 'hono'
import type { ZodType } from 'zod'
import type { ErrorForm } from './errors.ts'

/** The parts of the hub that the routes need. */
export type Deps = Pick<Hub, 'db' | 'bus' | 'events' | 'throttles' | 'tracing'> & { readonly clock: Clock }

/** What a good token allows. */
export interface Access {
  readonly account: Exclude<Account, 'devices' | 'jobs'>
  readonly permissions: readonly Permission[]
  /** In ms since 1970. It may be later than any Date. */
  readonly expiresAtMs: number
}

/** The values that a request has on its way through the app. */
export interface ApiEnv {
  /** Absent: the request did not come through a front. */
  Bindings: Partial<Arrival>
  Variables: {
    trackingId: string
    /** Of the request. Its trace is named in the tracking id. */
    span: Span
    /** The pattern of the address, never an id: it is a label of a metric. */
    route: string
    errorForm: ErrorForm
    /** The answer is an error for which the device is at fault. */
    isOfDevice: boolean
    vocabulary: Vocabulary
    /** The account whose throttles the request uses. */
    account: Account
    access: Access
    /** Set for an endpoint that takes a body. */
    body: Uint8Array
  }
}

export type ApiContext = Context<ApiEnv>

/** Who sent a request, for the log. Null: the request is not authorized, or has no connection. */
export interface Caller {
  readonly account: Account | null
  readonly clientAddress: string | null
  readonly trackingId: string
}

export function callerOf(c: ApiContext): Caller {
  // Absent before the check of the token, whatever the type says.
  const account: Account | undefined = c.get('account')
  return { account: account ?? null, clientAddress: c.env?.clientAddress ?? null, trackingId: c.get('trackingId') }
}

/**
 * A good request, with which the document and the reference page show an address: it is answered with 2xx on a hub that has the device, the
 * module and the job of `exampleIds`. Ids in the path are those, unless the example has others.
 */
export interface Example {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Needed where the address takes a body. */
  readonly body?: unknown
  /** What the answer may look like, where its schema says little. */
  readonly reply?: unknown
}

/** One address of the API: its description, its permission, and the function that handles it. */
export interface Endpoint {
  readonly method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  /** Parameters in braces. */
  readonly path: string
  /** Its name in clients that are made from the document. */
  readonly operationId: string
  readonly summary: string
  readonly permission: Permission
  /** The throttle that a call uses. */
  readonly throttle: ThrottleName
  /** Query parameters beside `api-version`, and headers, with what they mean. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** The words that a query parameter may be. */
  readonly words?: Readonly<Record<string, readonly string[]>>
  readonly example?: Example
  readonly body?: ZodType
  /** The largest body, if that is not `limits.requestBodyBytes`. */
  readonly bodyBytes?: number
  /** Null: the reply has no body. */
  readonly reply: ZodType | null
  /** Other types that a caller may ask for. */
  readonly otherTypes?: readonly string[]
  /** Of a reply that is no JSON. */
  readonly replyType?: 'text/event-stream'
  /** The session of a browser opens it, as every GET. */
  readonly takesSession?: true
  /** Direct methods have an error form of their own since 2018. */
  readonly errorForm?: 'nested'
  handle(c: ApiContext): Promise<Response>
}

/** A cookie comes with every request of a browser, also with one that another page has made. So it only opens what changes nothing. */
export function takesSession({ method, takesSession }: Endpoint): boolean {
  return method === 'get' || takesSession === true
}
