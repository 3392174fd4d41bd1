import { createHash, timingSafeEqual } from 'node:crypto'
import { clip } from '@muster/contract'
import type { Events } from '../observability/events.ts'

/** A request on the plain HTTP port, and the address of its client. */
export interface Visit {
  readonly request: Request
  readonly address: string
}

type Page = (request: Request) => Response | Promise<Response>

/** Browsers ask for a password only if they are offered Basic. Its user name may be anything. */
const challenge = 'Basic realm="muster operator", Bearer realm="muster operator"'

/**
 * The pages below `/internal`, for those who show the operator's token: as a bearer token, or as the password of Basic. `pages` are found
 * by the beginning of their path. They only show: nothing but GET and HEAD is allowed. Null: the request is for another part of the process.
 */
export function operatorDoor(options: {
  readonly token: string | null
  readonly pages: Readonly<Record<string, Page>>
  readonly onRefused: Events['operatorRefused']
}): (visit: Visit) => Promise<Response> | null {
  const { token, pages, onRefused } = options
  return ({ request, address }) => {
    const { pathname } = new URL(request.url)
    if (!isBelow(pathname, '/internal')) return null
    const answer = async (): Promise<Response> => {
      if (token === null) return text(404, 'MUSTER_OPERATOR_TOKEN is not set, so there is nothing below /internal')
      const shown = shownToken(request.headers.get('authorization') ?? '')
      if (shown === null || !isSame(shown, token)) {
        onRefused({ reason: shown === null ? 'missing' : 'wrong', path: clip(pathname), address })
        return text(401, 'expected the operator token: "Authorization: Bearer TOKEN"', {
          'www-authenticate': challenge,
        })
      }
      if (!['GET', 'HEAD'].includes(request.method)) return text(405, 'expected GET or HEAD', { allow: 'GET, HEAD' })
      const found = Object.entries(pages).find(([path]) => isBelow(pathname, path))
      return found === undefined ? text(404, `there is nothing at ${clip(pathname)}`) : found[1](request)
    }
    return answer()
  }
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function shownToken(authorization: string): string | null {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  const credentials = Buffer.from(value, 'base64').toString()
  return credentials.includes(':') ? credentials.slice(credentials.indexOf(':') + 1) : null
}

/** In a time that tells nothing about the token, not even its length. */
function isSame(shown: string, token: string): boolean {
  return timingSafeEqual(digest(shown), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function text(status: number, line: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${line}\n`, { status, headers })
}
