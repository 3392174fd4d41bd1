import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Engine, findEngine } from './engine.ts'
import { callCount, connectedCount, ended, startMethodJob } from './hub.ts'
import { imagesFor } from './images.ts'
import { eventually, openProject, type Project } from './project.ts'

const engine = await findEngine()
const override = typeof engine === 'string' ? engine : await imagesFor(engine)
const skipped = typeof override === 'string' ? override : null
if (skipped !== null) process.stdout.write(`test:containers skips: ${skipped}\n`)

/** The steps of one life, from the build to the end. */
describe.skipIf(skipped !== null)('a hub of docker-compose.yml', () => {
  let docker: Engine['docker']
  let project: Project
  let deviceCount = 0

  beforeAll(async () => {
    if (typeof engine === 'string' || typeof override === 'string') return
    docker = engine.docker
    project = openProject(engine, override)
    await measured('build', () => project.compose(['build'], { timeoutMs: 1_200_000 }))
    const bytes = Number(await docker(['image', 'inspect', '--format', '{{.Size}}', 'muster-test']))
    process.stdout.write(`image: ${Math.round(bytes / 1e6)} MB, of which its base is the larger part\n`)
  })

  afterAll(async () => {
    await project?.[Symbol.asyncDispose]()
    if (typeof engine !== 'string') await engine[Symbol.asyncDispose]()
  })

  it('is healthy after its first start', async () => {
    await measured('up', () => project.compose(['up', '--detach', '--wait', '--no-build'], { timeoutMs: 900_000 }))

    expect(await unhealthy(project)).toEqual([])
  })

  it('runs as a user without rights, on a root that cannot be written', async () => {
    const [worker = ''] = await project.containersOf('worker')
    const write = project.compose(['exec', '-T', 'worker', 'touch', '/app/x'])

    await expect(write).rejects.toThrow(/Read-only file system/)
    expect(await docker(['inspect', '--format', '{{.Config.User}} {{.HostConfig.CapDrop}}', worker])).toBe(
      'node [ALL]\n',
    )
  })

  it('refuses both stores to those without the password, and shows no password to docker inspect', async () => {
    await expect(project.compose(['exec', '-T', 'redis', 'redis-cli', 'get', 'x'])).resolves.toMatch(/NOAUTH/)
    const [worker = '', postgres = ''] = await Promise.all(
      ['worker', 'postgres'].map(async (name) => (await project.containersOf(name))[0]),
    )
    const secret = (await project.compose(['exec', '-T', 'postgres', 'cat', '/run/secrets/password'])).trim()
    expect(secret).toMatch(/^[\w-]{32}$/)
    expect(await docker(['inspect', worker, postgres])).not.toContain(secret)
  })

  it('runs a job over 1,000 simulated devices that are connected through the balancer', async () => {
    await measured('demo', () =>
      project.compose(['--profile', 'demo', 'up', '--detach', '--wait', '--no-build', '--no-recreate']),
    )
    await eventually(
      () => connectedCount(project),
      (count) => count === 1000,
    )
    deviceCount = 1000

    await startMethodJob(project, 'first')
    const { deviceJobStatistics: counts } = await measured('job', () => ended(project, 'first'))

    expect(counts).toMatchObject({
      deviceCount,
      succeededCount: deviceCount,
      failedCount: 0,
      pendingCount: 0,
      runningCount: 0,
    })
    await eventually(
      () => callCount(project),
      (count) => count === deviceCount,
    )
  })

  it('has more workers and gateways when told, and the balancer and Prometheus find them', async () => {
    const scale = ['--scale', 'worker=4', '--scale', 'gateway=3']
    await measured('scale', () =>
      project.compose(['up', '--detach', '--wait', '--no-build', '--no-recreate', ...scale]),
    )

    await expect(project.containersOf('worker')).resolves.toHaveLength(4)
    await eventually(
      () => metric(project, 'balancer', 8404, 'haproxy_backend_active_servers{proxy="gateway"}'),
      (count) => count === 3,
    )
    await eventually(
      () => upCounts(project),
      (up) => up.worker === 4 && up.gateway === 3 && up.api === 2 && up.dispatcher === 1,
    )
  })

  it('loses nothing and repeats nothing when a worker, a gateway, an api, the dispatcher and Redis are killed during a job', async () => {
    const callsBefore = await callCount(project)
    await startMethodJob(project, 'second')
    const victims = await Promise.all(
      ['worker', 'gateway', 'api', 'dispatcher', 'redis'].map(
        async (service) => (await project.containersOf(service))[0] ?? '',
      ),
    )
    await docker(['kill', ...victims])
    // A killed container counts as stopped by hand, and Docker leaves it so.
    await docker(['start', ...victims])

    const { deviceJobStatistics: counts } = await measured('job', () => ended(project, 'second'))

    expect(counts).toMatchObject({ deviceCount, pendingCount: 0, runningCount: 0 })
    expect(counts.succeededCount + counts.failedCount).toBe(deviceCount)
    expect((await callCount(project)) - callsBefore).toBeLessThanOrEqual(deviceCount)
    await eventually(
      () => unhealthy(project),
      (names) => names.length === 0,
    )
    await eventually(
      () => connectedCount(project),
      (count) => count === deviceCount,
    )
  })

  it('keeps its passwords and its devices when its containers are made again', async () => {
    await project.compose(['--profile', 'demo', 'down'])
    await project.compose(['up', '--detach', '--wait', '--no-build'])
    const project2 = await eventually(
      () => unhealthy(project),
      (names) => names.length === 0,
    )

    expect(project2).toEqual([])
  })

  it('leaves no container, no volume and no network behind', async () => {
    await measured('down', () => project.compose(['--profile', '*', 'down', '--volumes']))

    const filter = ['--quiet', '--filter', `label=com.docker.compose.project=${project.name}`]
    const left = await Promise.all(
      [
        ['ps', '--all'],
        ['volume', 'ls'],
        ['network', 'ls'],
      ].map((what) => docker([...what, ...filter])),
    )
    expect(left).toEqual(['', '', ''])
  })
})

async function unhealthy(project: Project): Promise<string[]> {
  const lines = (await project.compose(['ps', '--format', 'json'])).trim().split('\n')
  const containers: { Name: string; Health: string; State: string }[] = lines.flatMap((line) => JSON.parse(line))
  return containers.filter(({ Health }) => Health !== 'healthy').map(({ Name }) => Name)
}

async function metric(project: Project, service: string, port: number, series: string): Promise<number> {
  const page = await project.compose([
    'exec',
    '-T',
    service,
    'wget',
    '-q',
    '-O',
    '-',
    `http://127.0.0.1:${port}/metrics`,
  ])
  return Number(
    page
      .split('\n')
      .find((line) => line.startsWith(series))
      ?.split(' ')
      .at(-1),
  )
}

/** How many containers of each service Prometheus reaches. */
async function upCounts(project: Project): Promise<Record<string, number>> {
  const port = await project.portOf('prometheus', 9090)
  const query = encodeURIComponent('count by (component) (up{job="muster"} == 1)')
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${query}`)
  const { data }: { data: { result: { metric: { component: string }; value: [number, string] }[] } } = JSON.parse(
    await response.text(),
  )
  return Object.fromEntries(data.result.map(({ metric, value }) => [metric.component, Number(value[1])]))
}

async function measured<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now()
  const result = await work()
  process.stdout.write(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
  return result
}
