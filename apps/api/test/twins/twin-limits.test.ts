import { fittingSections, unfitSections } from '@muster/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const sections = [
  ['tags', 'tags', 8 * 1024],
  ['desired', 'properties.desired', 32 * 1024],
] as const

const writes = ['a device', 'a module'].flatMap((whose) =>
  ['PATCH', 'PUT'].flatMap((verb) => sections.map((section) => [whose, verb, ...section] as const)),
)

const bodyOf = (section: string, members: unknown) =>
  section === 'tags' ? { tags: members } : { properties: { desired: members } }

describe.each(writes)('the twin of %s: a %s of %s', (whose, verb, section, path, bytesMax) => {
  let address = ''
  beforeEach(async ({ task }) => {
    const deviceId = `limits-${task.id}`.replaceAll('_', '-')
    const own = whose === 'a module' ? `${deviceId}/modules/m` : deviceId
    await api.send('PUT', `/devices/${deviceId}`, {})
    if (whose === 'a module') await api.send('PUT', `/devices/${own}`, {})
    address = `/twins/${own}`
  })

  const write = (members: unknown) => api.send(verb, address, bodyOf(section, members))

  it.each(fittingSections(bytesMax))('may hold %s', async (_, members) => {
    const written = await write(members)

    expect(written.status).toBe(200)
    const kept = section === 'tags' ? (written.body.tags ?? {}) : written.body.properties.desired
    expect(kept).toMatchObject(members)
  })

  it.each(unfitSections(path, bytesMax))('may not hold %s', async (_, members, text) => {
    const refused = await write(members)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain('ErrorCode:ArgumentInvalid;')
    expect(refused.body.Message).toContain(text)
    expect((await api.send('GET', address)).body.version).toBe(2)
  })

  it.each([['text'], [7], [true], [[]]])('may not be %j', async (value) => {
    const refused = await write(value)

    expect(refused.body.Message).toBe(
      `ErrorCode:IotHubFormatError;${path} must be an object, got ${JSON.stringify(value)}`,
    )
  })
})
