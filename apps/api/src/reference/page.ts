import { readFileSync } from 'node:fs'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { ApiEnv } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'

/** What a browser finds at `/`, and where a program finds what. */
const entry = { name: 'Muster', reference: '/docs', document: '/openapi.json', health: '/health/ready' } as const

/** The page on which a browser shows the document of the API. Nothing on it comes from another host. */
const address = '/docs'

/** Everything that the page loads: from swagger-ui-dist, and from `browser`. The build copies both. */
const assets = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
  'access.css': 'text/css; charset=utf-8',
  'start.js': 'text/javascript; charset=utf-8',
  'sign-token.js': 'text/javascript; charset=utf-8',
} as const

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Muster service API</title>
<link rel="icon" type="image/png" href="${address}/favicon-32x32.png">
<link rel="stylesheet" href="${address}/swagger-ui.css">
<link rel="stylesheet" href="${address}/access.css">
</head>
<body>
<form id="access">
<label for="connection">Connection string</label>
<input id="connection" type="password" autocomplete="off" spellcheck="false" required>
<button>Authorize</button>
<output>Its key stays in this browser, which signs the requests of this page.</output>
</form>
<div id="reference"></div>
<script src="${address}/swagger-ui-bundle.js"></script>
<script type="module" src="${address}/start.js"></script>
</body>
</html>
`

const headers = {
  // With these headers the browser lets the page talk only to this hub, and lets nobody frame it to catch a token.
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'public, max-age=3600',
} as const

/** Serves the reference page, and the way to it from `/`. It needs no token, because it shows no data of the hub. */
export function addReferencePage(app: OpenAPIHono<ApiEnv>): void {
  const serve = (path: string, type: string, read: () => string | Uint8Array<ArrayBuffer>) =>
    app.get(path, (c) => {
      c.set('route', address)
      return new Response(read(), { headers: { ...headers, 'content-type': type } })
    })

  app.get('/', (c) => {
    c.set('route', '/')
    const wantsPage = c.req.header('accept')?.includes('text/html') ?? false
    return wantsPage ? c.redirect(address) : jsonReply(200, entry)
  })
  serve(address, 'text/html; charset=utf-8', () => page)
  for (const [name, type] of Object.entries(assets)) {
    let content: Uint8Array<ArrayBuffer> | undefined
    serve(`${address}/${name}`, type, () => {
      content ??= new Uint8Array(readFileSync(new URL(`../../dist/assets/${name}`, import.meta.url)))
      return content
    })
  }
}
