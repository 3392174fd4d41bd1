import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { runMuster, startQuickstart } from './quickstart.ts'

const manifest = fileURLToPath(new URL('../../package.json', import.meta.url))
const { version } = JSON.parse(readFileSync(manifest, 'utf8'))

it('muster --version tells the version also where a setting is wrong', async () => {
  const environment = { PATH: process.env.PATH ?? '', MUSTER_HTTPS_PORT: 'none' }

  expect(await runMuster(['--version'], { environment })).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  expect(await runMuster(['config'], { environment })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'muster: MUSTER_HTTPS_PORT: expected a whole number from 0 to 65535, got "none"\n',
  })
})

it('a hub tells its version to a probe, to the metrics and in the first line of its log', async () => {
  await using hub = await startQuickstart()

  const [live, metrics] = await Promise.all([hub.request('GET', '/health/live'), hub.request('GET', '/metrics')])

  const [firstLine = ''] = readFileSync(join(hub.dataDir, 'hub.log'), 'utf8').split('\n')
  expect(await live.json()).toEqual({ status: 'live', version })
  expect(await metrics.text()).toContain(`muster_build_info{version="${version}"} 1\n`)
  expect(JSON.parse(firstLine)).toMatchObject({ event: 'hubStarting', version })
})

it('muster config prints every setting with its origin, a line for each, and no secret', async () => {
  const environment = { PATH: process.env.PATH ?? '', DATABASE_URL: 'postgres://muster:hunter2@db/muster' }

  const { code, stdout } = await runMuster(['config'], { environment })

  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    DATABASE_URL: { value: 'postgres://muster:***@db/muster', origin: 'environment' },
    MUSTER_HTTP_PORT: { value: 8080, origin: 'default' },
  })
  expect(stdout.split('\n')).toContain('  "MUSTER_HTTP_PORT": {"value":8080,"origin":"default"},')
})
