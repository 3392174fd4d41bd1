import type { Permission } from '@muster/auth'
import type { Vocabulary } from '@muster/contract'
import type { Account, Hub, ThrottleName } from '@muster/runtime'
import type { Context } from 'hono'
import type { ZodType } from 'zod'
import type { ErrorForm } from './errors.ts'

/** What the routes need of the hub. */
export type Deps = Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'throttles'>

/** What a request carries on its way through the app. */
export interface ApiEnv {
  /** What the front of the process found wrong with a request, as a sentence. Absent: nothing came through a front. */
  Bindings: { readonly fault?: string | null }
  Variables: {
    trackingId: string
    /** The pattern of the address, never an id: it is a label of a metric. */
    route: string
    errorForm: ErrorForm
    vocabulary: Vocabulary
    /** Whose tokens of throttles a request takes. */
    account: Account
    /** Of an endpoint that takes one. */
    body: Uint8Array
  }
}

export type ApiContext = Context<ApiEnv>

/** One address of the API: what its document says, who may call it, and what it does. */
export interface Endpoint {
  readonly method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  /** Parameters in braces. */
  readonly path: string
  readonly summary: string
  readonly permission: Permission
  /** What a call of it counts as. */
  readonly throttle: ThrottleName
  /** Query parameters beside `api-version`, and headers, with what they mean. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: ZodType
  /** The largest body it takes, where that is not `limits.requestBodyBytes`. */
  readonly bodyBytes?: number
  /** Null: the reply has no body. */
  readonly reply: ZodType | null
  /** Direct methods have an error form of their own since 2018. */
  readonly errorForm?: 'nested'
  handle(c: ApiContext): Promise<Response>
}
