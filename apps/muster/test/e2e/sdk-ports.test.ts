import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { startHub } from '../hub.ts'
import type { Report } from './sdk-program.ts'

const program = fileURLToPath(new URL('sdk-program.ts', import.meta.url))

it('a program of its own, which trusts the CA by NODE_EXTRA_CA_CERTS, finds the hub at 443 and 8883 where those ports are free', async () => {
  const isOpen = (await canBind(443)) && (await canBind(8883))
  // Where these ports are taken or need privileges, the sockets of the program are moved to others.
  const hub = await startHub({ settings: isOpen ? { MUSTER_HTTPS_PORT: '443', MUSTER_MQTTS_PORT: '8883' } : {} })
  onTestFinished(() => hub[Symbol.asyncDispose]())
  const { PATH = '', HOME = '' } = process.env

  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], {
    env: {
      PATH,
      HOME,
      NODE_EXTRA_CA_CERTS: join(String(hub.environment.MUSTER_DATA_DIR), 'tls', 'ca.pem'),
      CONNECTION_STRING: hub.connectionString,
      HTTPS_PORT: String(hub.httpsPort),
      MQTTS_PORT: String(hub.mqttsPort),
    },
    timeout: 50_000,
  })
  const report: Report = JSON.parse(stdout)

  expect(report).toEqual({
    devices: { Mqtt: { interval: 5, answer: 'Mqtt' }, MqttWs: { interval: 5, answer: 'MqttWs' } },
    jobStatus: 'completed',
  })
  if (isOpen) expect([hub.httpsPort, hub.mqttsPort]).toEqual([443, 8883])
})

async function canBind(port: number): Promise<boolean> {
  const server = createServer()
  const listening = once(server.listen(port), 'listening').then(
    () => true,
    () => false,
  )
  if (!(await listening)) return false
  server.close()
  await once(server, 'close')
  return true
}
