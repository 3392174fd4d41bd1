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

/** Its SHA-1 and its SHA-256, in upper case. */
export function thumbprintsOf({ fingerprint, fingerprint256 }: ShownCertificate): readonly string[] {
  return [fingerprint, fingerprint256].map((text) => text.replaceAll(':', '').toUpperCase())
}

/** Whether the registry has one of a certificate's thumbprints as one of its two. */
export function isRegistered(
  thumbprints: readonly string[],
  { primaryThumbprint, secondaryThumbprint }: Authentication,
): boolean {
  const registered = [primaryThumbprint, secondaryThumbprint]
  return registered.some((text) => text !== null && thumbprints.includes(text.toUpperCase()))
}
