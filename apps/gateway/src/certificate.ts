import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { Authentication } from '@muster/store'
import type { Client } from 'aedes'

/** What a client showed in its TLS handshake: it holds the key, but nobody has vouched for it. */
export type ShownCertificate = Pick<X509Certificate, 'fingerprint' | 'fingerprint256' | 'validFrom' | 'validTo'>

/** Null for a client that showed none, or came without TLS. */
export function shownCertificate({ conn, req }: Client): ShownCertificate | null {
  // A WebSocket is carried by the socket of its upgrade.
  const socket = req?.socket ?? conn
  return socket instanceof TLSSocket ? (socket.getPeerX509Certificate() ?? null) : null
}

/** Whether the registry has the certificate's SHA-1 or SHA-256 as one of the two thumbprints. */
export function isRegistered(
  { fingerprint, fingerprint256 }: ShownCertificate,
  { primaryThumbprint, secondaryThumbprint }: Authentication,
): boolean {
  const shown = [fingerprint, fingerprint256].map((text) => text.replaceAll(':', '').toUpperCase())
  return [primaryThumbprint, secondaryThumbprint].some((text) => text !== null && shown.includes(text.toUpperCase()))
}
