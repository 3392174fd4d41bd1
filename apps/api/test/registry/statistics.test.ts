import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

describe('statistics', () => {
  it('count devices, enabled and disabled and connected, and no modules', async () => {
    const empty = await api.send('GET', '/statistics/devices')
    for (const id of ['a', 'b', 'c']) await api.send('PUT', `/devices/${id}`, {})
    await api.send('PUT', '/devices/d', { status: 'disabled' })
    await api.send('PUT', '/devices/a/modules/m', {})
    for (const key of ['a', 'b', 'a/m']) await connectDevice(api, key, 'gateway-1')

    const devices = await api.send('GET', '/statistics/devices')
    const service = await api.send('GET', '/statistics/service/')

    expect(empty.body).toEqual({ totalDeviceCount: 0, enabledDeviceCount: 0, disabledDeviceCount: 0 })
    expect(devices.status).toBe(200)
    expect(devices.body).toEqual({ totalDeviceCount: 4, enabledDeviceCount: 3, disabledDeviceCount: 1 })
    expect(service.body).toEqual({ connectedDeviceCount: 2 })
  })

  it.each(['/statistics/devices', '/statistics/service'])('need RegistryRead: %s', async (path) => {
    const allowed = await api.send('GET', path, undefined, { policy: 'registryRead' })
    const refused = await api.send('GET', path, undefined, { policy: 'service' })
    const undated = await api.send('GET', path, undefined, { apiVersion: null })

    expect([allowed.status, refused.status, undated.status]).toEqual([200, 401, 400])
  })
})
