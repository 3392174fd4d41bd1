import { createHmac } from 'node:crypto'

/** Before a secret that is base64, as in the specification Standard Webhooks. */
const encodedPrefix = 'whsec_'

/** The bytes of a secret. Null: it has the prefix of an encoded one, and is no base64. */
export function webhookKeyBytes(secret: string): Buffer | null {
  if (!secret.startsWith(encodedPrefix)) return Buffer.from(secret)
  const encoded = secret.slice(encodedPrefix.length)
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)
    ? Buffer.from(encoded, 'base64')
    : null
}

/** The headers by which a receiver knows that a call is from the hub, and new: those of Standard Webhooks. */
export function signedHeaders(
  secret: string,
  { id, body, now }: { readonly id: string; readonly body: string; readonly now: Date },
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  // A secret is checked before it is stored.
  const key = webhookKeyBytes(secret) ?? Buffer.from(secret)
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
