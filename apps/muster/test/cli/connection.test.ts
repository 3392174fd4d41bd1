import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { signSasToken } from '@muster/auth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { type Muster, openMuster, rowsOf } from './muster.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const nowhere = 'HostName=127.0.0.1:3;SharedAccessKeyName=service;SharedAccessKey=AAAA'
const stranger = 'HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=AAAA'
const list = ['job', 'list', '-o', 'json'] as const

describe('the hub that a command calls', () => {
  it('is that of --login, else of IOTHUB_CONNECTION_STRING, else of MUSTER_CONTEXT, else of this machine', async () => {
    const env = { IOTHUB_CONNECTION_STRING: nowhere }
    const unknown = { MUSTER_CONTEXT: 'unknown' }

    expect(await muster.run(list)).toMatchObject({ code: 0, stdout: '[]\n' })
    expect(await muster.run(list, { env: unknown })).toMatchObject({ code: 2 })
    expect(await muster.run(list, { env: { ...unknown, ...env } })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^muster: https:\/\/127\.0\.0\.1:3 cannot be reached: .*\n$/),
    })
    const words = [...list, '--login', hub.connectionString]
    expect(await muster.run(words, { env: { ...unknown, ...env } })).toMatchObject({ code: 0, stdout: '[]\n' })
  })

  it('is named by a context; its file is for the eyes of its owner, and no key is shown', async () => {
    await using other = await openMuster(null)
    const url = `http://127.0.0.1:${hub.httpPort}`

    await other.run(['context', 'set', 'lab', '--login', hub.connectionString, '--url', url])
    await other.run(['context', 'set', 'gone', '--login', nowhere])

    expect(await other.run(list)).toMatchObject({ code: 0, stdout: '[]\n' })
    expect(await other.run([...list, '--context', 'gone'])).toMatchObject({ code: 1 })
    await other.run(['context', 'use', 'gone'])
    expect(await other.run(list)).toMatchObject({ code: 1 })
    expect(rowsOf((await other.run(['context', 'list'])).stdout)).toEqual([
      ['CONTEXT', 'CURRENT', 'HUB', 'POLICY'],
      ['lab', '', url, 'iothubowner'].filter((cell) => cell !== ''),
      ['gone', 'yes', '127.0.0.1:3', 'service'],
    ])
    const file = join(other.home, 'config', 'muster', 'config.toml')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readFile(file, 'utf8')).toContain('[contexts.lab]')
    expect((await other.run(['context', 'show', 'lab', '-o', 'json'])).stdout).not.toContain('SharedAccessKey')
  })

  it('is not that of this machine when the key is of another one with the same name', async () => {
    const { code, stderr } = await muster.run([...list, '--login', stranger])

    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^muster: https:\/\/localhost cannot be /),
    })
  })

  it('is another one also when what this machine has written about its own is damaged', async () => {
    await using other = await openMuster(null)
    await writeFile(join(other.home, 'hub.json'), '{"connectionString":')

    expect(await other.run([...list, '--login', nowhere])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('https://127.0.0.1:3 cannot be reached'),
    })
    expect(await other.run(list)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not describe a running hub'),
    })
  })

  it('may be reached by a URL and a token', async () => {
    await using other = await openMuster(null)
    await other.run(['context', 'set', 'lab', '--url', `http://127.0.0.1:${hub.httpPort}`, '--token', hub.token])

    expect(await other.run(list)).toMatchObject({ code: 0, stdout: '[]\n' })
  })

  it('is missing when none is known: one line says what to do', async () => {
    await using other = await openMuster(null)

    const { code, stderr } = await other.run(list)

    expect(code).toBe(1)
    expect(stderr).toMatch(/^muster: no hub is known: start one on this machine with "muster all" .*\n$/)
  })
})

describe('a caller whom the hub refuses', () => {
  it('with an expired token hears the reason, and the exit code is 4', async () => {
    await using other = await openMuster(null)
    const token = signSasToken({
      resource: 'localhost',
      key: hub.connectionString.split('SharedAccessKey=')[1] ?? '',
      policyName: 'iothubowner',
      expiresAt: new Date(Date.now() - 3_600_000),
    })
    await other.run(['context', 'set', 'lab', '--url', `http://127.0.0.1:${hub.httpPort}`, '--token', token])

    const { code, stderr } = await other.run(list)

    expect(code).toBe(4)
    expect(stderr).toMatch(/^muster: IotHubUnauthorizedAccess: .*expired.*\n$/)
  })

  it('with the key of another hub gets the exit code 4', async () => {
    await using other = await openMuster(null)
    await other.run(['context', 'set', 'lab', '--login', stranger, '--url', `http://127.0.0.1:${hub.httpPort}`])

    expect(await other.run(list)).toMatchObject({ code: 4 })
  })
})
