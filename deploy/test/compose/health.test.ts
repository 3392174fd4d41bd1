import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root } from './compose-file.ts'

const run = promisify(execFile)

it.each([
  { host: '127.0.0.1', status: 200, exitCode: 0 },
  { host: '0.0.0.0', status: 200, exitCode: 0 },
  { host: '::1', status: 200, exitCode: 0 },
  { host: '127.0.0.1', status: 503, exitCode: 1 },
])(
  'the health check asks the page of readiness on $host, prints it, and ends with $exitCode after a $status',
  async ({ host, status, exitCode }) => {
    const server = createServer((request, response) => response.writeHead(status).end(`page ${request.url}`))
    server.listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo

    const result = await check({ MUSTER_HTTP_HOST: host, MUSTER_HTTP_PORT: String(port) })

    expect(result).toEqual({ exitCode, stdout: 'page /health/ready\n' })
    server.close()
  },
)

it('the health check says when nothing listens', async () => {
  const { exitCode, stdout } = await check({ MUSTER_HTTP_PORT: '1' })

  expect(exitCode).toBe(1)
  expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:1\/health\/ready does not answer: .+\n$/)
})

async function check(env: Record<string, string>): Promise<{ exitCode: number; stdout: string }> {
  return run(process.execPath, [join(root, 'apps', 'muster', 'bin', 'health.mjs')], { env }).then(
    ({ stdout }) => ({ exitCode: 0, stdout }),
    ({ code, stdout }) => ({ exitCode: code, stdout }),
  )
}
