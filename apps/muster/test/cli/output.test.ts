import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startHub, type TestHub } from '../hub.ts'
import { registered } from '../simulated.ts'
import { type Muster, openMuster } from './muster.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
  await registered(hub, { count: 5000, prefix: 'd', tags: { note: 'two\nlines\tand a tab' } })
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const query = "SELECT deviceId, tags.note FROM devices WHERE deviceId = 'd-0000'"

describe('the output', () => {
  it.each([
    ['ndjson', '{"deviceId":"d-0000","note":"two\\nlines\\tand a tab"}\n'],
    ['tsv', 'd-0000\ttwo\\nlines\\tand a tab\n'],
    ['name', 'd-0000\n'],
    ['table', 'DEVICEID  NOTE\nd-0000    two lines and a tab\n'],
  ])('as %s has a row in one line', async (format, expected) => {
    expect((await muster.run(['query', query, '-o', format])).stdout).toBe(expected)
  })

  it.each([
    ['tsv', 'd-4999\ta ]0;b c d\n'],
    ['table', 'DEVICEID  NOTE\nd-4999    a ]0;b c d\n'],
    ['name', 'd-4999\n'],
  ])('as %s lets no control character of the data through to the terminal', async (format, expected) => {
    await muster.json(['twin', 'update', 'd-4999', '--tags', '{"note":"a\\u001b]0;b\\u0007c\\u009bd"}'])
    const query = "SELECT deviceId, tags.note FROM devices WHERE deviceId = 'd-4999'"

    expect((await muster.run(['query', query, '-o', format])).stdout).toBe(expected)
  })

  it('as yaml holds what JSON holds', async () => {
    expect(parse((await muster.run(['query', query, '-o', 'yaml'])).stdout)).toEqual(
      await muster.json(['query', query]),
    )
  })

  it('of an empty list is [] in JSON and YAML, only the header in a table, and nothing in lines', async () => {
    const list = (format: string) => muster.run(['job', 'list', '--job-status', 'failed', '-o', format])

    expect((await list('json')).stdout).toBe('[]\n')
    expect((await list('yaml')).stdout).toBe('[]\n')
    expect((await list('table')).stdout).toMatch(/^JOB {2}TYPE.*\n$/)
    expect((await list('ndjson')).stdout).toBe('')
    expect((await list('name')).stdout).toBe('')
  })

  it('is what --query finds in the JSON, in each format', async () => {
    const found = (expression: string, format: string) =>
      muster.run(['device', 'list', '--top', '2', '--query', expression, '-o', format]).then(({ stdout }) => stdout)

    expect(JSON.parse(await found('[].deviceId', 'json'))).toEqual(['d-0000', 'd-0001'])
    expect(await found('[].deviceId', 'tsv')).toBe('d-0000\nd-0001\n')
    expect(await found('[].[deviceId, status]', 'tsv')).toBe('d-0000\tenabled\nd-0001\tenabled\n')
    expect(await found('[].{id: deviceId, status: status}', 'table')).toBe(
      'ID      STATUS\nd-0000  enabled\nd-0001  enabled\n',
    )
    expect(await found('length(@)', 'table')).toBe('2\n')
  })

  it('has no colour off a terminal', async () => {
    expect((await muster.run(['device', 'list', '--top', '1'], { env: { FORCE_COLOR: '1' } })).stdout).not.toContain(
      '\u001b',
    )
  })

  it.skipIf(spawnSync('script', ['--version']).error !== undefined)(
    'has colours on a terminal, but for NO_COLOR',
    async () => {
      const list = (env: NodeJS.ProcessEnv) => muster.onTerminal(['device', 'list', '--top', '1'], '', env)

      expect((await list({})).stdout).toContain('\u001b[32menabled\u001b[39m')
      expect((await list({ NO_COLOR: '1' })).stdout).not.toContain('\u001b[32m')
    },
  )

  it('ends quietly when its reader has had enough', async () => {
    const child = muster.start(['device', 'list'])
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.stdout.once('data', () => child.stdout.destroy())
    const [code] = await once(child, 'exit')

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})
