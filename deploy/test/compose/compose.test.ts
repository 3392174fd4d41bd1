import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '@muster/runtime'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ComposeFile, readComposeFile, type Service } from './compose-file.ts'

/** They do their work and end. */
const oneShots = ['secrets', 'migrate']
const roles = ['api', 'dispatcher', 'worker', 'gateway']

describe('docker-compose.yml', () => {
  let file: ComposeFile
  let services: [string, Service][]
  let lasting: [string, Service][]

  beforeAll(async () => {
    file = await readComposeFile()
    services = Object.entries(file.services)
    lasting = services.filter(([name]) => !oneShots.includes(name))
  })

  /** The names of those that break a rule. */
  const breaking = (among: readonly [string, Service][], keeps: (service: Service) => boolean) =>
    among.filter(([, service]) => !keeps(service)).map(([name]) => name)

  it('has the stores, the roles, the balancer, what watches them, and the simulator', () => {
    expect(services.map(([name]) => name).sort()).toEqual(
      [
        ...roles,
        ...oneShots,
        'postgres',
        'redis',
        'balancer',
        'prometheus',
        'alertmanager',
        'grafana',
        'simulator',
      ].sort(),
    )
  })

  it('gives every container an end to its memory, its processes and its log, and no new privileges', () => {
    expect(breaking(services, ({ deploy }) => Number(deploy?.resources?.limits?.memory) > 0)).toEqual([])
    expect(breaking(services, ({ deploy }) => Number(deploy?.resources?.limits?.pids) > 0)).toEqual([])
    expect(
      breaking(
        services,
        ({ logging }) =>
          logging?.driver === 'json-file' && 'max-size' in logging.options && 'max-file' in logging.options,
      ),
    ).toEqual([])
    expect(breaking(services, ({ security_opt }) => security_opt?.includes('no-new-privileges:true') === true)).toEqual(
      [],
    )
  })

  it('checks the health of every container that lasts, and starts it again when it ends', () => {
    expect(
      breaking(lasting, ({ healthcheck }) => healthcheck?.interval !== undefined && healthcheck.disable !== true),
    ).toEqual([])
    expect(breaking(lasting, ({ restart }) => restart === 'unless-stopped')).toEqual([])
  })

  it('gives the program no right and no file system to write, except its data', () => {
    const ours = services.filter(([name]) => [...roles, ...oneShots, 'simulator'].includes(name))

    expect(
      breaking(ours, ({ cap_drop, read_only }) => cap_drop?.includes('ALL') === true && read_only === true),
    ).toEqual([])
  })

  it('publishes no port of a service that has, or may have, several containers', () => {
    const published = services.filter(([, { ports = [] }]) => ports.length > 0).map(([name]) => name)

    expect(published.sort()).toEqual(['alertmanager', 'balancer', 'grafana', 'prometheus'])
    expect(breaking(lasting, ({ deploy, ports = [] }) => (deploy?.replicas ?? 1) === 1 || ports.length === 0)).toEqual(
      [],
    )
  })

  it('shows the network the two ports of TLS alone', () => {
    const open = services.flatMap(([, { ports = [] }]) => ports.filter(({ host_ip }) => host_ip !== '127.0.0.1'))

    expect(open.map(({ published, target }) => [published, target])).toEqual([
      ['443', 8443],
      ['8883', 8883],
    ])
  })

  it('keeps the stores in a network that leads nowhere', () => {
    expect(file.networks.stores?.internal).toBe(true)
    expect(['postgres', 'redis'].map((name) => Object.keys(file.services[name]?.networks ?? {}))).toEqual([
      ['stores'],
      ['stores'],
    ])
  })

  it('has no password: each is in a file of a volume', () => {
    const environment = services.flatMap(([, service]) => Object.entries(service.environment ?? {}))
    const secret = environment.filter(([name]) => /PASSWORD|SECRET|TOKEN|_URL|KEY/.test(name))

    expect(secret.filter(([name, value]) => !name.endsWith('_FILE') || !value.startsWith('/run/secrets/'))).toEqual([])
    expect(secret.length).toBeGreaterThan(0)
    expect(
      breaking(services, ({ volumes = [] }) =>
        volumes.every(({ target, read_only }) => target !== '/run/secrets' || read_only === true),
      ),
    ).toEqual([])
  })

  it('gives every role an environment that the program takes, with the hub reachable under two names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'muster-compose-'))
    const secrets = {
      DATABASE_URL_FILE: 'postgres://muster:x@postgres:5432/muster',
      REDIS_URL_FILE: 'redis://:x@redis:6379',
      MUSTER_OPERATOR_TOKEN_FILE: 'a-token-of-the-operator',
    }
    const files = Object.fromEntries(Object.keys(secrets).map((name) => [name, join(folder, name)]))
    try {
      for (const [name, text] of Object.entries(secrets)) await writeFile(files[name] ?? '', text)
      for (const name of [...roles, 'migrate', 'simulator']) {
        const environment = file.services[name]?.environment ?? {}
        const given = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, files[key] ?? value]))

        expect(loadConfig({ dataDir: folder }, given)).toMatchObject({ hostNames: ['localhost', 'balancer'] })
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('gives a role more time to end than the role takes', () => {
    const { shutdownSeconds } = loadConfig({ dataDir: '/' }, {})
    const seconds = roles.map((name) => Number.parseInt(file.services[name]?.stop_grace_period ?? '0', 10))

    expect(seconds.every((grace) => grace > shutdownSeconds)).toBe(true)
  })

  it('mounts only what is in the repository', () => {
    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter(({ type }) => type === 'bind').map(({ source }) => source),
    )

    expect(sources.length).toBeGreaterThan(5)
    expect(sources.filter((source) => !existsSync(source))).toEqual([])
  })

  it('takes the name of the hub, the image and the ports from the environment', async () => {
    const { services } = await readComposeFile({
      MUSTER_HOSTNAME: 'hub.example.com',
      HUB_IMAGE: 'example.com/muster:1.2',
      HTTPS_PORT: '9443',
    })

    expect(services.worker).toMatchObject({
      image: 'example.com/muster:1.2',
      environment: { MUSTER_HOSTNAME: 'hub.example.com,balancer' },
    })
    expect(services.balancer?.ports?.[0]?.published).toBe('9443')
  })
})
