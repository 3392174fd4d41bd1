import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConnectionString } from '@muster/auth'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Quickstart, runMuster, startQuickstart } from './quickstart.ts'

let hub: Quickstart

beforeAll(async () => {
  hub = await startQuickstart()
})
afterAll(() => hub[Symbol.asyncDispose]())

it('beside a quickstart, muster token prints a token for any policy that the hub takes', async () => {
  const { code, stdout } = await runMuster(['token', '--policy', 'service'], hub)

  // A twin that is not there: who may not ask is answered 401.
  const response = await hub.request('GET', '/twins/unknown', undefined, stdout.trim())
  expect(code).toBe(0)
  expect(stdout).toMatch(/^SharedAccessSignature .*skn=service\n$/)
  expect(response.status).toBe(404)
})

it('beside a quickstart, muster connection-string --policy device prints the key of the devices', async () => {
  const { code, stdout } = await runMuster(['connection-string', '--policy', 'device'], hub)

  expect(code).toBe(0)
  expect(parseConnectionString(stdout.trim())).toMatchObject({
    hostName: 'localhost',
    sharedAccessKeyName: 'device',
    sharedAccessKey: expect.stringMatching(/=$/),
  })
})

it('a policy that the hub has not is an error of one line, which lists those that it has', async () => {
  const { code, stderr } = await runMuster(['token', '--policy', 'owner'], hub)

  expect(code).toBe(1)
  expect(stderr).toBe(
    'muster: there is no policy "owner"; expected one of device, iothubowner, registryRead, registryReadWrite, service\n',
  )
})

it('without a hub, a token is refused in one line', async () => {
  const nobody = { ...hub.environment, MUSTER_DATA_DIR: join(tmpdir(), `muster-test-${randomUUID()}`) }

  const { code, stderr } = await runMuster(['token'], { environment: nobody })

  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^muster: DATABASE_URL is not set and no hub runs on this machine \(there is no .*hub\.json\)\n$/,
  )
})
