import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClient } from '@muster/client'
import { eventually } from '@muster/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { startHub, type TestHub } from './hub.ts'

const preload = fileURLToPath(new URL('redirected.ts', import.meta.url))

/** A process of an example, and what it has printed so far. */
interface Example {
  readonly child: ChildProcessWithoutNullStreams
  readonly printed: () => string
}

function start(hub: TestHub, name: string, env: NodeJS.ProcessEnv, args: readonly string[] = []): Example {
  const program = fileURLToPath(new URL(`../../../examples/${name}/main.mjs`, import.meta.url))
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--import', 'tsx', '--import', preload, program, ...args], {
    env: {
      PATH,
      HOME,
      NODE_EXTRA_CA_CERTS: join(String(hub.environment.MUSTER_DATA_DIR), 'tls', 'ca.pem'),
      HTTPS_PORT: String(hub.httpsPort),
      MQTTS_PORT: String(hub.mqttsPort),
      ...env,
    },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  return { child, printed: () => printed }
}

it('the examples work together: a device answers the job that is scheduled and followed, and reports what is desired', async () => {
  const hub = await startHub()
  onTestFinished(() => hub[Symbol.asyncDispose]())
  const url = `http://127.0.0.1:${hub.httpPort}`
  const client = createClient({ connectionString: hub.connectionString, url })
  const { authentication } = await client.devices.create('d1')
  const key = authentication.symmetricKey.primaryKey

  const device = start(hub, 'device', {
    DEVICE_CONNECTION_STRING: `HostName=localhost;DeviceId=d1;SharedAccessKey=${key}`,
  })
  await eventually(() => expect(device.printed()).toContain('connected'), { timeoutMs: 20_000 })
  const env = { IOTHUB_CONNECTION_STRING: hub.connectionString, HUB_URL: url }
  const job = start(hub, 'schedule-and-follow-a-job', env, ["deviceId = 'd1'"])
  const [code] = await once(job.child, 'exit')
  await client.twins.update('d1', { properties: { desired: { interval: 30 } } })

  await eventually(() => expect(device.printed()).toContain('interval 30'), { timeoutMs: 20_000 })
  expect(device.printed()).toContain('reboot {"reason":"example"}')
  expect(job.printed()).toMatch(
    /^1 devices meet deviceId = 'd1'\n.* created\n.* started\n.* ended\n.*1 of 1 succeeded\n$/s,
  )
  expect(code).toBe(0)
})
