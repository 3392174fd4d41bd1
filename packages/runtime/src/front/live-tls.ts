import { X509Certificate } from 'node:crypto'
import { createSecureContext, type Server } from 'node:tls'
import type { Tls } from './certificates.ts'

/** The certificate of the TLS listeners of this process, which may change while they listen. */
export interface LiveTls extends Disposable {
  /** As it is now. */
  readonly current: Tls
  /** Gives the server the current certificate, now and after each change. Open connections stay. */
  present(server: Server): void
}

/** The options of every TLS listener of the hub. */
export interface TlsOptions {
  readonly key: string
  readonly cert: string
  readonly minVersion: 'TLSv1.2'
}

export function tlsOptions({ key, cert }: Pick<Tls, 'key' | 'cert'>): TlsOptions {
  return { key, cert, minVersion: 'TLSv1.2' }
}

/**
 * Loads the certificate again and again. Later connections get replaced files, after a rename or after the swapped link of a mounted
 * secret. A certificate of our own is renewed before its end. A watch of the file system would be worse: it dies with its folder, and
 * misses changes behind a link. A certificate that cannot be loaded or used changes nothing, and is reported once.
 */
export async function openTls(
  load: () => Promise<Tls>,
  options: {
    readonly everyMs: number
    readonly onLoaded: (certificate: { readonly expiresAt: Date }) => void
    readonly onRefused: (error: unknown) => void
  },
): Promise<LiveTls> {
  const servers = new Set<Server>()
  let current = await load()
  let refused: string | null = null
  let isLoading = false
  options.onLoaded({ expiresAt: expiryOf(current) })

  const renew = async () => {
    const next = await load()
    if (next.key !== current.key || next.cert !== current.cert) {
      // Throws when the key or the chain cannot be used, before any server gets it.
      createSecureContext(tlsOptions(next))
      current = next
      for (const server of servers) server.setSecureContext(tlsOptions(current))
      options.onLoaded({ expiresAt: expiryOf(current) })
    }
    refused = null
  }
  const refuse = (error: unknown) => {
    const reason = String(error)
    if (reason !== refused) options.onRefused(error)
    refused = reason
  }
  const timer = setInterval(() => {
    if (isLoading) return
    isLoading = true
    renew()
      .catch(refuse)
      .finally(() => {
        isLoading = false
      })
  }, options.everyMs)

  return {
    get current() {
      return current
    },
    present(server) {
      server.setSecureContext(tlsOptions(current))
      servers.add(server)
      server.once('close', () => servers.delete(server))
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

function expiryOf({ cert }: Tls): Date {
  return new Date(new X509Certificate(cert).validTo)
}
