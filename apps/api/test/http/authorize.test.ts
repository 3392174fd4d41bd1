import { createHmac } from 'node:crypto'
import { signSasToken } from '@muster/auth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, hostName, openApi, tokenOf } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const endpoints = [
  ['GET', '/jobs/v2/query', 'ServiceConnect'],
  ['PUT', '/jobs/v2/j1', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/cancel', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/stages', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/why', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/devices/d1/why', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/stages/next', 'ServiceConnect'],
  ['PATCH', '/jobs/v2/j1', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/pause', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/resume', 'ServiceConnect'],
  ['POST', '/jobs/v2/stop', 'ServiceConnect'],
  ['GET', '/jobs/v2/stops/s1', 'ServiceConnect'],
  ['POST', '/jobs/v2/stops/s1/resume', 'ServiceConnect'],
  ['POST', '/jobs/v2/preview', 'ServiceConnect'],
  ['GET', '/jobs/v2/events', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/devices', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/events', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/failures', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/history', 'ServiceConnect'],
  ['GET', '/jobs/v2/j1/lineage', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/rerun', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/devices/skip', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/devices/cancel', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/devices/retry', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/devices/d1/skip', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/devices/d1/cancel', 'ServiceConnect'],
  ['POST', '/jobs/v2/j1/devices/d1/retry', 'ServiceConnect'],
  ['POST', '/sessions', 'ServiceConnect'],
  ['DELETE', '/sessions', 'ServiceConnect'],
  ['PUT', '/jobs/v2/d1/methods/j1', 'ServiceConnect'],
  ['GET', '/twins/d1', 'ServiceConnect'],
  ['PATCH', '/twins/d1', 'ServiceConnect'],
  ['PUT', '/twins/d1', 'ServiceConnect'],
  ['GET', '/twins/d1/modules/m1', 'ServiceConnect'],
  ['PATCH', '/twins/d1/modules/m1', 'ServiceConnect'],
  ['PUT', '/twins/d1/modules/m1', 'ServiceConnect'],
  ['POST', '/twins/d1/methods', 'ServiceConnect'],
  ['POST', '/twins/d1/modules/m1/methods', 'ServiceConnect'],
  ['POST', '/devices/query', 'ServiceConnect'],
  ['GET', '/devices', 'RegistryRead'],
  ['GET', '/devices/d1', 'RegistryRead'],
  ['PUT', '/devices/d1', 'RegistryWrite'],
  ['DELETE', '/devices/d1', 'RegistryWrite'],
  ['POST', '/devices', 'RegistryWrite'],
  ['GET', '/devices/d1/modules', 'RegistryRead'],
  ['GET', '/devices/d1/modules/m1', 'RegistryRead'],
  ['PUT', '/devices/d1/modules/m1', 'RegistryWrite'],
  ['DELETE', '/devices/d1/modules/m1', 'RegistryWrite'],
  ['GET', '/statistics/devices', 'RegistryRead'],
  ['GET', '/statistics/service', 'RegistryRead'],
  ['GET', '/jobs', 'RegistryWrite'],
  ['POST', '/jobs/create', 'RegistryWrite'],
  ['GET', '/jobs/j1', 'RegistryWrite'],
  ['DELETE', '/jobs/j1', 'RegistryWrite'],
  ['GET', '/schedules', 'ServiceConnect'],
  ['PUT', '/schedules/s1', 'ServiceConnect'],
  ['GET', '/schedules/s1', 'ServiceConnect'],
  ['DELETE', '/schedules/s1', 'ServiceConnect'],
  ['GET', '/webhooks', 'ServiceConnect'],
  ['PUT', '/webhooks/i1', 'ServiceConnect'],
  ['GET', '/webhooks/i1', 'ServiceConnect'],
  ['DELETE', '/webhooks/i1', 'ServiceConnect'],
  ['POST', '/webhooks/i1/test', 'ServiceConnect'],
  ['POST', '/webhooks/i1/replay', 'ServiceConnect'],
  ['GET', '/webhooks/i1/deliveries', 'ServiceConnect'],
  ['POST', '/webhooks/i1/deliveries/e1/replay', 'ServiceConnect'],
] as const

it('these are all addresses, with the permissions that the document says', async () => {
  const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })
  const documented = Object.entries<Record<string, { description: string }>>(body.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { description }]) => [
      method.toUpperCase(),
      path.replaceAll(/{(.)\w+}/g, '$11'),
      /permission (\w+)/.exec(description)?.[1],
    ]),
  )

  expect(endpoints.map((endpoint) => endpoint.join(' ')).sort()).toEqual(
    documented.map((endpoint) => endpoint.join(' ')).sort(),
  )
})

describe.each(endpoints)('%s %s', (method, path, permission) => {
  it('is 401 without a token', async () => {
    const reply = await api.send(method, path, undefined, { authorization: null })

    expect(reply.status).toBe(401)
    expect(reply.headers.get('iothub-errorcode')).toBe('IotHubUnauthorized')
  })

  it(`is 401 for a policy without ${permission}, and not for one with it`, async () => {
    const policies = ['service', 'device', 'registryRead', 'registryReadWrite']
    const allowed = {
      ServiceConnect: ['service'],
      RegistryRead: ['registryRead', 'registryReadWrite'],
      RegistryWrite: ['registryReadWrite'],
    }

    const statuses = await Promise.all(
      policies.map(async (policy) => [policy, (await api.send(method, path, undefined, { policy })).status] as const),
    )

    const opened = statuses.filter(([, status]) => status !== 401).map(([policy]) => policy)
    expect(opened).toEqual(allowed[permission])
  })
})

describe('a token', () => {
  const key = () => api.policies.find(({ name }) => name === 'service')?.primaryKey ?? ''
  const sign = (options: Partial<Parameters<typeof signSasToken>[0]>) =>
    signSasToken({
      resource: hostName,
      key: key(),
      policyName: 'service',
      expiresAt: new Date('2026-03-02T13:00:00Z'),
      ...options,
    })
  const refusal = async (authorization: string) => {
    const reply = await api.send('GET', '/jobs/v2/query', undefined, { authorization })
    return [reply.status, reply.headers.get('iothub-errorcode'), reply.body.Message ?? '']
  }

  it('that has expired is refused with its expiry', async () => {
    const [status, code, text] = await refusal(sign({ expiresAt: new Date('2026-03-02T11:54:00Z') }))

    expect([status, code]).toEqual([401, 'IotHubUnauthorizedAccess'])
    expect(text).toContain('expired: se is 1772452440')
  })

  it.each([hostName, `${hostName}/jobs/v2`])('for %s counts for 5 minutes after its expiry', async (resource) => {
    const late = await refusal(sign({ resource, expiresAt: new Date('2026-03-02T11:55:01Z') }))
    const tooLate = await refusal(sign({ resource, expiresAt: new Date('2026-03-02T11:55:00Z') }))

    expect([late[0], tooLate[0]]).toEqual([200, 401])
  })

  it('that is forged is refused, and does not tell whether its policy exists', async () => {
    const wrongKey = await refusal(sign({ key: Buffer.from('another').toString('base64') }))
    const wrongPolicy = await refusal(sign({ policyName: 'nobody' }))

    expect(wrongKey.slice(0, 2)).toEqual([401, 'IotHubUnauthorizedAccess'])
    expect(wrongPolicy).toEqual(
      wrongKey
        .map((part) => String(part).replace('"service"', '"nobody"'))
        .map((part, index) => (index === 0 ? 401 : part)),
    )
  })

  it('without a permission is refused with its rule, the address and what it lacks', async () => {
    const reply = await api.send('GET', '/devices/d1', undefined, { policy: 'service' })

    expect(reply.status).toBe(401)
    expect(reply.body.Message).toBe(
      "ErrorCode:IotHubUnauthorized;Authorization rule 'service' does not allow access for '/devices/d1', it needs RegistryRead",
    )
  })

  it('may have its members in any order, its expiry in milliseconds, and a name of the hub in any letter case', async () => {
    const resource = encodeURIComponent(hostName.toUpperCase())
    const se = String(Date.parse('2026-03-03T00:00:00Z'))
    const signed = createHmac('sha256', Buffer.from(key(), 'base64')).update(`${resource}\n${se}`).digest('base64')

    const [status] = await refusal(
      `SharedAccessSignature skn=service&se=${se}&sig=${encodeURIComponent(signed)}&sr=${resource}`,
    )

    expect(status).toBe(200)
  })

  it('for another hub is refused with the names of this one', async () => {
    const [status, , text] = await refusal(sign({ resource: 'other.example.net' }))

    expect(status).toBe(401)
    expect(text).toContain('expected hub.example.net or localhost')
  })

  it('of a device is refused, even if a policy made it', async () => {
    const device = `${hostName}/devices/d1`

    const own = await refusal(sign({ resource: device }).replace('&skn=service', ''))
    const narrowed = await refusal(sign({ resource: device }))

    expect(own[0]).toBe(401)
    expect(narrowed[0]).toBe(401)
  })

  it('may be narrowed to a part of the API', async () => {
    const authorization = sign({ resource: `${hostName}/jobs/v2` })

    const inside = await api.send('GET', '/jobs/v2/query', undefined, { authorization })
    const outside = await api.send('GET', '/twins/d1', undefined, { authorization })

    expect([inside.status, outside.status]).toEqual([200, 401])
  })

  it.each([
    ['/twins/a#b', '/twins/a%23b', ['/twins/a%2523b', '/twins/a']],
    ['/twins/a%23b', '/twins/a%2523b', ['/twins/a%23b', '/twins/a']],
    ['/twins/a%b', '/twins/a%25b', ['/twins/a%2525b', '/twins/a%62']],
    ['/twins/a?b', '/twins/a%3Fb', ['/twins/a?b=', '/twins/a%253Fb']],
    ['/twins/a:b', '/twins/a%3ab', ['/twins/a%253Ab', '/twins/a:c']],
    ['/twins/a', '/twins/a/modules/m', ['/twins/a%2Fmodules%2Fm', '/twins/a%2F', '/twins/ab', '/twins/%61%zz']],
    ['/twins/a/modules/m', '/twins/a/modules/m', ['/twins/a%2Fmodules%2Fm', '/twins/a']],
  ])('H18 for %s opens %s and none of %j', async (resource, inside, outside) => {
    const authorization = sign({ resource: `${hostName}${resource}` })
    const statusOf = async (path: string) => (await api.send('GET', path, undefined, { authorization })).status

    expect(await statusOf(inside)).toBe(404)
    for (const path of outside) expect([path, await statusOf(path)]).toEqual([path, 401])
  })

  it.each(['Bearer abc', 'SharedAccessSignature', 'SharedAccessSignature sr=x', ''])(
    '%j is refused',
    async (authorization) => {
      const [status, , text] = await refusal(authorization)

      expect(status).toBe(401)
      expect(text).toContain('expected SharedAccessSignature sr=<host>')
    },
  )

  it('of the secondary key, and for every name of the hub, is accepted', async () => {
    const secondary = api.policies.find(({ name }) => name === 'service')?.secondaryKey ?? ''

    const reply = await api.send('GET', '/jobs/v2/query', undefined, {
      authorization: sign({ key: secondary, resource: 'LOCALHOST:8443' }),
    })

    expect(reply.status).toBe(200)
  })

  it('is judged again at once when the policies could not be read before', async () => {
    api.clock.time = new Date(api.clock.time.getTime() + 5_000)
    const statusOf = async () => (await api.send('GET', '/jobs/v2/query')).status
    await api.db.execute('alter table policies rename to policies_away')

    const together = await Promise.all([statusOf(), statusOf()])
    await api.db.execute('alter table policies_away rename to policies')

    expect(together).toEqual([500, 500])
    expect(await statusOf()).toBe(200)
  })

  it('of a policy that is gone from the store is refused a few seconds later', async () => {
    await api.send('GET', '/jobs/v2/query')
    const authorization = tokenOf(api, 'service')
    await api.db.execute("delete from policies where name = 'service'")

    const now = await api.send('GET', '/jobs/v2/query', undefined, { authorization })
    api.clock.time = new Date(api.clock.time.getTime() + 5_000)
    const later = await api.send('GET', '/jobs/v2/query', undefined, { authorization })

    expect([now.status, later.status]).toEqual([200, 401])
  })
})
