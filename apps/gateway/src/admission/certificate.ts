import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { Authentication } from '@muster/store'
import type { Client } from 'aedes'

/** The certificate of a client in its TLS handshake. The client has its key, but nobody else may have signed it. */
export type ShownCertificate = Pick<X509Certificate, 'fingerprint' | 'fingerprint256' | 'validFrom' | 'validTo'>

/** Null for a client that showed none, or came without TLS. */
export function shownCertificate({ conn, req }: Client): ShownCertificate | null {
  // A WebSocket uses the socket of its upgrade.
  const socket = req?.socket ?? conn
  return socket instanceof TLSSocket ? (socket.getPeerX509Certificate() ?? null) : null
}

/** Its SHA-1 and its SHA-256, in upper case. */
export function thumbprintsOf({ fingerprint, fingerprint256 }: ShownCertificate): readonly string[] {
  return [fingerprint, fingerprint256].map((text) => text.replaceAll(':', '').toUpperCase())
}

/** Whether a thumbprint of the certificate is one of the two in the registry. */
export function isRegistered(
  thumbprints: readonly string[],
  { primaryThumbprint, secondaryThumbprint }: Authentication,
): boolean {
  const registered = [primaryThumbprint, secondaryThumbprint]
  return registered.some((text) => text !== null && thumbprints.includes(text.toUpperCase()))
}
