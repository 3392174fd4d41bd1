import { once } from 'node:events'
import { connect, type SecureVersion } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

/** A client that speaks this version and no other. The lowest level of security, or it would not even offer the old ones. */
function connectWith(port: number, version: SecureVersion) {
  const { ca } = gateway.hub.front.tls
  const versions = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
  return connect({ host: 'localhost', port, ca, ...versions })
}

describe.each(['mqttsPort', 'httpsPort'] as const)('H17 the %s', (name) => {
  it.each(['TLSv1', 'TLSv1.1'] as const)('refuses %s in the handshake', async (version) => {
    const socket = connectWith(gateway[name], version)

    // An alert: the hub has heard the version, and says that it is too old.
    await expect(once(socket, 'secureConnect')).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    const socket = connectWith(gateway[name], version)
    await once(socket, 'secureConnect')

    expect(socket.getProtocol()).toBe(version)
    socket.destroy()
  })
})
