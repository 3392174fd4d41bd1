import { type ConnectionString, parseConnectionString, signSasToken } from '@muster/auth/sas'

/** How a client proves who it is. A token that is a function is asked for before each call. */
export type Credentials =
  | { readonly connectionString: string }
  | { readonly url: string | URL; readonly token: string | (() => string | Promise<string>) }

/** Where the calls of a client go, and the Authorization header of the next one. */
export interface Access {
  readonly url: URL
  authorization(): Promise<string>
}

/**
 * The access that credentials give. `url` replaces the address in a connection string, for a hub behind another name or port.
 * @throws TypeError when the connection string is not one of a service
 */
export function accessOf(credentials: Credentials, url?: string | URL): Access {
  if (!('connectionString' in credentials)) {
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
  let token = ''
  let expiresAtMs = 0
  return async () => {
    if (Date.now() > expiresAtMs - renewedBeforeMs) {
      expiresAtMs = Date.now() + lifetimeMs
      const expiresAt = new Date(expiresAtMs)
      token = signSasToken({ resource: hostName, key: sharedAccessKey, policyName: sharedAccessKeyName, expiresAt })
    }
    return token
  }
}
