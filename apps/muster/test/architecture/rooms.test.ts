import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesOnCircles, importsOf, roomOf, upwardImports } from './imports.ts'
import { productSources, type SourceFile, workspaceFiles } from './sources.ts'

/**
 * The rooms of each package that has some, from top to bottom: a file imports from its own room and from those below it. A file
 * that stands in `src` itself is a room of its own. `index` is above all.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  'packages/contract': [
    'index',
    'registry',
    'versions',
    'events',
    'job',
    'extensions',
    'schedules',
    'method',
    'twin',
    'schemas',
    'members',
    'json-text',
    'numbers',
    'ids',
    'instant',
    'json',
    'errors',
    'clip',
    'limits',
    'tracking-id',
  ],
  'packages/query': ['index', 'evaluation', 'sql', 'syntax', 'functions', 'operands', 'language'],
  'packages/store': [
    'index',
    'metrics',
    'webhooks',
    'schedules',
    'outcomes',
    'events',
    'jobs',
    'sessions',
    'queries',
    'registry',
    'twins',
    'postgres',
  ],
  'packages/runtime': [
    'index',
    'hub',
    'operator',
    'front',
    'observability',
    'metrics',
    'tracing',
    'webhooks',
    'config',
  ],
  'packages/local-services': ['index', 'local-services', 'postgres', 'redis', 'containers', 'machine'],
  'packages/client': [
    'index',
    'client',
    'schedules',
    'jobs',
    'webhooks',
    'webhook-wire',
    'twins',
    'registry',
    'registry-wire',
    'sessions',
    'event-stream',
    'wire',
    'rollouts',
    'pages',
    'long-body',
    'exchange',
    'credentials',
    'muster-error',
  ],
  'apps/api': [
    'index',
    'role',
    'app',
    'reference',
    'events',
    'webhooks',
    'schedules',
    'queries',
    'device-jobs',
    'rollout',
    'jobs',
    'registry',
    'twins',
    'methods',
    'http',
  ],
  'apps/gateway': [
    'index',
    'role',
    'mqtt',
    'traffic',
    'sessions',
    'admission',
    'topics',
    'gateway',
    'line',
    'ask-in-sets',
  ],
  'apps/dispatcher': [
    'index',
    'role',
    'reconcile',
    'outages',
    'show-hub',
    'sweeps',
    'rollout',
    'round',
    'schedules',
    'webhooks',
    'rollout',
    'starts',
    'reported',
    'dispatch-job',
  ],
  'apps/worker': [
    'index',
    'role',
    'run-chunk',
    'run-due',
    'start-attempts',
    'worker-hub',
    'attempts',
    'carry-out',
    'calls',
    'route',
    'outcomes',
    'lease',
    'claim-span',
    'claim',
    'places',
    'pace',
    'one-by-one',
    'each-at-once',
  ],
  'apps/cli': [
    'index',
    'client-commands',
    'completion',
    'contexts',
    'schedules',
    'jobs',
    'registry',
    'webhooks',
    'transfer',
    'files',
    'command',
    'connection',
    'output',
    'azure',
    'environment',
    'failure',
    'plain-text',
  ],
  'apps/muster': [
    'main',
    'program',
    'server-commands',
    'serve',
    'quickstart',
    'local-hub',
    'await-database',
    'credentials',
    'database',
    'hub-file',
    'roles',
    'lifetime',
    'complain',
  ],
}

const filesPerFolderMax = 16

const sources = productSources()
const imports = importsOf(sources)

describe('the rooms', () => {
  it('are listed for every package that has folders', () => {
    const unlisted = sources.map(({ path }) => path).filter((path) => hasFolders(path) && !isListed(path))

    expect(unlisted).toEqual([])
  })

  it('import one way: none from a room above it', () => {
    expect(upwardImports(imports, rooms)).toEqual([])
  })

  it('hold no circle of files, types included', () => {
    expect(filesOnCircles(imports)).toEqual([])
  })

  it(`have at most ${filesPerFolderMax} files each`, () => {
    const tests = workspaceFiles('.ts').filter(({ path }) =>
      /^((packages|apps)\/[^/]+|deploy)\/(test|bench)\//.test(path),
    )
    const counts = new Map<string, number>()
    for (const { path } of [...sources, ...tests]) {
      const folder = posix.dirname(path)
      counts.set(folder, (counts.get(folder) ?? 0) + 1)
    }

    expect([...counts].filter(([, count]) => count > filesPerFolderMax)).toEqual([])
  })
})

describe('the checks of the rooms', () => {
  const file = (path: string, ...targets: readonly string[]): SourceFile => ({
    path,
    text: targets.map((target) => `import type { X } from '${target}'`).join('\n'),
  })

  it('find a circle that closes through types, and not what only leads to it', () => {
    const circle = importsOf([
      file('packages/a/src/index.ts', './one/x.ts'),
      file('packages/a/src/one/x.ts', '../two/y.ts', './z.ts'),
      file('packages/a/src/two/y.ts', '../one/x.ts'),
      file('packages/a/src/one/z.ts'),
    ])

    expect(filesOnCircles(circle)).toEqual(['packages/a/src/one/x.ts', 'packages/a/src/two/y.ts'])
  })

  it('find an import from a room above', () => {
    const upward = importsOf([
      file('packages/a/src/top/x.ts', '../bottom/y.ts'),
      file('packages/a/src/bottom/y.ts', '../top/x.ts', './z.ts'),
    ])

    expect(upwardImports(upward, { 'packages/a': ['index', 'top', 'bottom'] })).toEqual([
      'packages/a/src/bottom/y.ts imports packages/a/src/top/x.ts',
    ])
  })
})

function hasFolders(path: string): boolean {
  const { home } = roomOf(path)
  return sources.some((other) => roomOf(other.path).home === home && /\/src\/[^/]+\//.test(other.path))
}

function isListed(path: string): boolean {
  const { home, room } = roomOf(path)
  return rooms[home]?.includes(room) ?? false
}
