import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

const get = (path: string) => api.app.request(`http://hub.example.net${path}`)
const textOf = async (path: string) => (await get(path)).text()

/** What the page makes a browser load. */
async function named(): Promise<string[]> {
  const page = await textOf('/docs')
  const addresses = [...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, address = '']) => address)
  const imports = [...(await textOf('/docs/start.js')).matchAll(/from '\.(\/[\w.-]+)'/g)]
  return [...addresses, ...imports.map(([, path]) => `/docs${path}`)]
}

it('the page and everything that it names are served, without a token', async () => {
  const addresses = ['/docs', '/docs/', ...(await named()), '/openapi.json']

  const served = await Promise.all(addresses.map(async (address) => ({ address, ...typeOf(await get(address)) })))

  expect(served).toEqual([
    { address: '/docs', status: 200, type: 'text/html; charset=utf-8' },
    { address: '/docs/', status: 200, type: 'text/html; charset=utf-8' },
    { address: '/docs/favicon-32x32.png', status: 200, type: 'image/png' },
    { address: '/docs/swagger-ui.css', status: 200, type: 'text/css; charset=utf-8' },
    { address: '/docs/access.css', status: 200, type: 'text/css; charset=utf-8' },
    { address: '/docs/swagger-ui-bundle.js', status: 200, type: 'text/javascript; charset=utf-8' },
    { address: '/docs/start.js', status: 200, type: 'text/javascript; charset=utf-8' },
    { address: '/docs/sign-token.js', status: 200, type: 'text/javascript; charset=utf-8' },
    { address: '/openapi.json', status: 200, type: 'application/json; charset=utf-8' },
  ])
})

function typeOf({ status, headers }: Response) {
  return { status, type: headers.get('content-type') }
}

it('H26 the root leads a browser to the page, and tells a program where to find what', async () => {
  const asBrowser = await api.app.request('http://hub.example.net/', { headers: { accept: 'text/html,*/*' } })
  const asProgram = await get('/')
  const found: unknown = JSON.parse(await asProgram.text())

  expect([asBrowser.status, asBrowser.headers.get('location')]).toEqual([302, '/docs'])
  expect(found).toEqual({ name: 'Muster', reference: '/docs', document: '/openapi.json', health: '/health/ready' })
})

it('H16 nothing of it comes from another host, and the browser is told to see to that', async () => {
  const [page, style] = [await textOf('/docs'), await textOf('/docs/swagger-ui.css')]
  const scripts = (await textOf('/docs/start.js')) + (await textOf('/docs/sign-token.js'))
  const policy = (await get('/docs')).headers.get('content-security-policy') ?? ''

  expect(`${page}${scripts}`).not.toMatch(/\/\/|@import/)
  expect([...style.matchAll(/url\(["']?([a-z]*:?)/g)].filter(([, scheme]) => scheme !== 'data:')).toEqual([])
  expect(style).not.toContain('@import')
  expect(policy).toMatch(/^default-src 'self';/)
  expect(policy).not.toMatch(/\*|http|unsafe-eval|script-src/)
})

it('it holds no secret, and runs no script of its own text', async () => {
  const page = await textOf('/docs')

  expect(page).not.toMatch(/<script>|\bon\w+=|SharedAccess|token/i)
  for (const { primaryKey } of api.policies) expect(page).not.toContain(primaryKey)
})

it.each(['/docs/../package.json', '/docs/package.json', '/docs/%2e%2e/package.json', '/docs/swagger-ui.css.map'])(
  'nothing else of its folder is served: %s',
  async (path) => {
    expect((await get(path)).status).toBe(404)
  },
)

it.each(['/', '/docs', '/docs/start.js', '/openapi.json'])(
  '%s is there to be read, and for nothing else',
  async (path) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await api.send(method, path)

      expect([method, status, headers.get('allow')]).toEqual([method, 405, 'GET, HEAD'])
    }
  },
)

interface Signer {
  signToken(connectionString: string): Promise<string>
}

describe('the token that the page makes of a connection string', () => {
  const signer = async (): Promise<Signer> => import(new URL('../../browser/sign-token.js', import.meta.url).href)
  const connectionOf = (name: string) => {
    const key = api.policies.find((policy) => policy.name === name)?.primaryKey
    return `HostName=hub.example.net;SharedAccessKeyName=${name};SharedAccessKey=${key}`
  }

  it.each(['iothubowner', 'service'])('H27 opens what the policy %s may', async (policy) => {
    const { signToken } = await signer()
    // The clock of the tests stands still.
    api.clock.time = new Date()

    const authorization = await signToken(` ${connectionOf(policy)}\n`)

    expect((await api.send('GET', '/jobs/v2/query', undefined, { authorization })).status).toBe(200)
  })

  it.each([
    '',
    'HostName=hub.example.net',
    'HostName=hub.example.net;SharedAccessKeyName=iothubowner',
    'Endpoint=sb:x;SharedAccessKeyName=iothubowner;SharedAccessKey=YQ==',
  ])('H27 is none for %j, and the text is not repeated', async (text) => {
    const { signToken } = await signer()

    await expect(signToken(text)).rejects.toThrow(/^expected HostName=/)
    await expect(signToken('HostName=a;SharedAccessKeyName=b;SharedAccessKey=!')).rejects.toThrow('is no base64')
  })
})
