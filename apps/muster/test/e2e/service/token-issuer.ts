import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

/** An identity provider of one key, as the hub asks it and as the SDKs' token credentials come from it. */
export interface TokenIssuer extends AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>
  /** A credential for these roles, which counts how often it was asked for its token. */
  credential(roles: readonly string[]): TokenCredential & { readonly scopes: (string | string[])[] }
}

interface TokenCredential {
  getToken(scopes: string | string[]): Promise<{ token: string; expiresOnTimestamp: number }>
}

const audience = 'api://muster'

export async function startTokenIssuer(): Promise<TokenIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }
  const server = createServer((request, response) => {
    response.end(JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port')
  const issuer = `http://127.0.0.1:${address.port}`

  return {
    settings: { MUSTER_OIDC_ISSUER: issuer, MUSTER_OIDC_AUDIENCE: audience },
    credential(roles) {
      const scopes: (string | string[])[] = []
      return {
        scopes,
        async getToken(scope) {
          scopes.push(scope)
          const expiresOnTimestamp = Date.now() + 3_600_000
          const claims = {
            iss: issuer,
            aud: audience,
            azp: 'backend',
            exp: Math.floor(expiresOnTimestamp / 1000),
            roles,
          }
          const signed = [{ alg: 'ES256', kid: 'k' }, claims].map(base64url).join('.')
          const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
          return { token: `${signed}.${signature.toString('base64url')}`, expiresOnTimestamp }
        },
      }
    },
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
