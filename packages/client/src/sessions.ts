import type { CallOptions, Exchange } from './exchange.ts'

/** What the cookie of a browser opens, and until when. */
export interface Session {
  readonly account: string
  readonly permissions: readonly string[]
  readonly expiryTime: string
}

/** Of a browser: the hub sets a cookie that no script can read, and that opens GET requests for an hour at most. */
export interface Sessions {
  /** Needs a client with a token or a connection string. */
  open(options?: CallOptions): Promise<Session>
  /** Takes the cookie away. */
  close(options?: CallOptions): Promise<void>
}

export function createSessions(exchange: Exchange): Sessions {
  return {
    open: (options) => exchange.read({ method: 'POST', path: '/sessions', isSafe: true, ...options }),
    close: async (options) =>
      void (await exchange.read({ method: 'DELETE', path: '/sessions', isSafe: true, ...options })),
  }
}
