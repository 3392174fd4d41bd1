import { type ConnectionString, parseConnectionString } from '@muster/auth/connection-string'

/** How a client proves who it is. A token that is a function is asked for before each call. */
export type Credentials =
  | { readonly connectionString: string }
  | { readonly url: string | URL; readonly token: string | (() => string | Promise<string>) }
  /** In a browser, at the address of the hub: the cookie of `sessions.open` is sent. It opens GET requests alone. */
  | { readonly url: string | URL; readonly session: true }

/** Where the calls of a client go, and the Authorization header of the next one. Null: none is sent. */
export interface Access {
  readonly url: URL
  authorization(): Promise<string | null>
}

/**
 * The access that credentials give. `url` replaces the address in a connection string, for a hub behind another name or port.
 * @throws TypeError when the connection string is not one of a service
 */
export function accessOf(credentials: Credentials, url?: string | URL): Access {
  if ('session' in credentials) return { url: new URL(url ?? credentials.url), authorization: async () => null }
  if ('token' in credentials) {
    const { token } = credentials
    const read = typeof token === 'string' ? () => token : token
    return {
      url: new URL(url ?? credentials.url),
      authorization: async () => withScheme(await read()),
    }
  }
  const service = parseConnectionString(credentials.connectionString)
  return {
    url: new URL(url ?? `https://${service.gatewayHostName ?? service.hostName}`),
    authorization: signerOf(service),
  }
}

/** A SAS token names its scheme itself. Any other token is a bearer token. */
function withScheme(token: string): string {
  return /^(SharedAccessSignature|Bearer) /i.test(token) ? token : `Bearer ${token}`
}

const lifetimeMs = 3_600_000
/** The clock of the hub may be ahead of ours, and a call may wait for its turn. */
const renewedBeforeMs = 900_000

/** Signs a token of an hour, and the next one in good time. */
function signerOf({ hostName, sharedAccessKeyName, sharedAccessKey }: ConnectionString): Access['authorization'] {
  if (sharedAccessKeyName === undefined || sharedAccessKey === undefined) {
    throw new TypeError(
      'The connection string has no SharedAccessKeyName or SharedAccessKey; expected that of a service, not of a device',
    )
  }
  let token = Promise.resolve('')
  let expiresAtMs = 0
  return async () => {
    if (Date.now() > expiresAtMs - renewedBeforeMs) {
      expiresAtMs = Date.now() + lifetimeMs
      token = signServiceToken({ hostName, policyName: sharedAccessKeyName, key: sharedAccessKey, expiresAtMs })
    }
    return token
  }
}

/**
 * A SAS token for the service, signed by Web Crypto, which browsers have too. It is the token that `signSasToken` of `@muster/auth` makes.
 * `key` is base64; the expiry is rounded up to a full second.
 */
export async function signServiceToken(token: {
  readonly hostName: string
  readonly policyName: string
  readonly key: string
  readonly expiresAtMs: number
}): Promise<string> {
  const resource = encodeURIComponent(token.hostName)
  const expiry = String(Math.ceil(token.expiresAtMs / 1000))
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', bytesOf(atob(token.key)), algorithm, false, ['sign'])
  const signed = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`${resource}\n${expiry}`))
  const signature = encodeURIComponent(btoa(String.fromCharCode(...new Uint8Array(signed))))
  return `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expiry}&skn=${encodeURIComponent(token.policyName)}`
}

function bytesOf(binary: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}
