import { describe, expect, it } from 'vitest'
import { importedPackages, productSources, workspaceFiles } from './sources.ts'

/** Each infrastructure library has one home; everything else reaches it through that package. */
const homes: Record<string, readonly string[]> = {
  'packages/contract': ['croner'],
  'packages/store': ['drizzle-orm', 'pg'],
  'packages/testkit': ['postgres'],
  'packages/bus': ['bullmq', 'ioredis', '@bull-board/api'],
  'packages/runtime': [
    'pino',
    'prom-client',
    '@opentelemetry/api',
    '@opentelemetry/sdk-trace',
    '@peculiar/x509',
    '@hono/node-server',
    '@bull-board/hono',
  ],
  'packages/auth': ['jose'],
  'packages/local-services': ['testcontainers', '@testcontainers/postgresql', '@testcontainers/redis'],
  'apps/api': ['hono', '@hono/zod-openapi'],
  'apps/gateway': ['aedes', 'ws'],
  'apps/simulator': ['mqtt'],
  'packages/client': ['eventsource-parser'],
  'apps/cli': ['@bomb.sh/tab', '@jmespath-community/jmespath', 'cli-table3', 'smol-toml'],
}

const namesThatSayNothing =
  /(^|\/)(utils?|helpers?|common|misc|shared|types|core|manager|service|handler|data|info)(\.|\/)/

describe('the sources', () => {
  const sources = productSources()

  it('reach each infrastructure library through its one home', () => {
    const strays = sources.flatMap((file) =>
      importedPackages(file)
        .filter((name) => Object.entries(homes).some(([home, names]) => names.includes(name) && !isIn(file.path, home)))
        .map((name) => `${file.path} imports ${name}`),
    )

    expect(strays).toEqual([])
  })

  it('read the environment in one place', () => {
    const readers = sources.filter(({ text }) => /process\.env\b/.test(text)).map(({ path }) => path)

    expect(readers.filter((path) => !mayReadEnvironment(path))).toEqual([])
  })

  it('of the client need no Node, because browsers load them too', () => {
    const client = sources.filter(({ path }) => isIn(path, 'packages/client'))
    const needNode = client.filter(({ text }) => /from '(node:|@muster\/auth(\/sas)?')/.test(text))

    expect(client).not.toEqual([])
    expect(needNode.map(({ path }) => path)).toEqual([])
  })

  it('stay under 400 lines a file', () => {
    const long = sources.filter(({ text }) => text.split('\n').length > 400).map(({ path }) => path)

    expect(long).toEqual([])
  })

  it('have names that say something', () => {
    const empty = sources.map(({ path }) => path).filter((path) => namesThatSayNothing.test(path))

    expect(empty).toEqual([])
  })

  it('do not silence the type checker', () => {
    const silenced = sources.filter(({ text }) => /@ts-(ignore|nocheck|expect-error)/.test(text))

    expect(silenced.map(({ path }) => path)).toEqual([])
  })

  it('leave the test kit to the tests, and local services to the program and the test kit', () => {
    const strays = sources.flatMap((file) =>
      importedPackages(file)
        .filter((name) => name === '@muster/testkit' || (name === '@muster/local-services' && !startsStores(file.path)))
        .map((name) => `${file.path} imports ${name}`),
    )

    expect(strays).toEqual([])
  })
})

describe('the tests', () => {
  it('run all: none is skipped or focused', () => {
    const tests = workspaceFiles('.test.ts')

    const partial = tests.filter(({ text }) => /\b(it|test|describe)\.(only|skip|todo)\(/.test(text))

    expect(partial.map(({ path }) => path)).toEqual([])
  })
})

function isIn(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`)
}

/** The config; that of callers, who have no hub; and what looks for programs and servers on the machine it finds itself on. */
function mayReadEnvironment(path: string): boolean {
  return (
    [
      'packages/runtime/src/config/config.ts',
      'apps/cli/src/environment.ts',
      'packages/testkit/src/services.ts',
      'packages/testkit/src/fuzz-seconds.ts',
    ].includes(path) || isIn(path, 'packages/local-services')
  )
}

function startsStores(path: string): boolean {
  return isIn(path, 'apps/muster') || isIn(path, 'packages/testkit') || isIn(path, 'packages/local-services')
}
