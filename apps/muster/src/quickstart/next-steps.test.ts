import { expect, it } from 'vitest'
import { nextSteps } from './next-steps.ts'

const hub = {
  hostName: 'localhost',
  gatewayHost: 'localhost',
  bind: '127.0.0.1',
  httpsPort: 443,
  httpPort: 8080,
  mqttsPort: 8883,
  caFile: '/data/tls/ca.pem',
  ca: '',
  owner: { name: 'iothubowner', permissions: [], primaryKey: 'a2V5', secondaryKey: 'a2V5' },
  connectionString: 'HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5',
  stores: ['Postgres 16', 'Redis 7'],
}

const folder = { dataDir: '/data', isDefault: true, logFile: '/data/hub.log' }

it('shows what a client needs to know', () => {
  const text = nextSteps(hub, folder, new Date(0))

  for (const fact of [
    hub.connectionString,
    hub.caFile,
    'localhost:8883',
    'https://localhost/docs',
    'Postgres 16',
    'Redis 7',
    '/data/hub.log',
  ]) {
    expect(text).toContain(fact)
  }
  expect(text).toContain('Ctrl-C stops')
  expect(text).not.toContain('ip_unprivileged_port_start')
})

it('says what to do for the SDKs, which know port 443 only, when HTTPS is elsewhere', () => {
  const text = nextSteps({ ...hub, httpsPort: 8443 }, folder, new Date(0))

  expect(text).toContain('https://localhost:8443/')
  expect(text).toContain('ip_unprivileged_port_start=443')
})

it('tells other commands where the data folder is, when it is not where they look', () => {
  const text = nextSteps(hub, { ...folder, isDefault: false }, new Date(0))

  expect(text).toMatch(/^ {2}MUSTER_DATA_DIR=\/data node \S+ token$/m)
  expect(text).toMatch(/^ {2}MUSTER_DATA_DIR=\/data node \S+ simulate /m)
})
