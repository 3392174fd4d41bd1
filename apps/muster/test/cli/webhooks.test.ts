import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { type Muster, openMuster, rowsOf } from './muster.ts'

let hub: TestHub
let muster: Muster
let receiver: Server
let url = ''
/** What the receiver was sent. */
const received: string[] = []
beforeAll(async () => {
  hub = await startHub({ settings: { MUSTER_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' } })
  muster = await openMuster(hub)
  receiver = createServer(async (request, response) => {
    received.push(Buffer.concat(await request.toArray()).toString())
    response.end()
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const address = receiver.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/events`
})
afterAll(async () => {
  receiver.close()
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const get = async (path: string) => (await hub.request('GET', path)).json()

describe('muster webhook', () => {
  it('set, list and show give what the API gives, and never the secret', async () => {
    const secretFile = join(muster.home, 'secret.txt')
    await writeFile(secretFile, 'a secret of some length\n')
    const words = ['--url', url, '--secret-file', secretFile, '--events', 'ended,cancelled', '--job-id-prefix', 'a-']

    await muster.json(['webhook', 'set', 'crm', ...words])

    const shown = await muster.run(['webhook', 'show', 'crm', '-o', 'json'])
    expect(JSON.parse(shown.stdout)).toEqual(await get('/webhooks/crm'))
    expect(shown.stdout).not.toContain('a secret')
    expect(await muster.json(['webhook', 'list'])).toEqual(await get('/webhooks'))
    expect(rowsOf((await muster.run(['webhook', 'list'])).stdout)).toEqual([
      ['WEBHOOK', 'URL', 'EVENTS', 'JOBS'],
      ['crm', url, 'ended, cancelled', 'a-...'],
    ])
  })

  it('set changes a webhook without its secret, which a new one needs', async () => {
    const words = ['--url', url, '--events', 'ended', '--job-id-prefix', 'a-']

    expect(await muster.json(['webhook', 'set', 'crm', ...words])).toMatchObject({ id: 'crm', events: ['ended'] })
    expect(await muster.run(['webhook', 'set', 'new', ...words])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('secret is missing'),
    })
  })

  it('test tells what came back', async () => {
    expect(await muster.json(['webhook', 'test', 'crm'])).toMatchObject({ status: 200 })
    expect(received.map((body) => JSON.parse(body))).toMatchObject([{ kind: 'test' }])
  })

  it('deliveries lists what was sent, and replay sends it once more', async () => {
    await putJob(hub, 'a-1', {
      type: 'scheduleUpdateTwin',
      deviceIds: ['nobody'],
      updateTwin: { etag: '*', tags: { a: 1 } },
    })
    await ending(hub, 'a-1')
    const delivered = await eventually(
      async () => {
        const rows = rowsOf((await muster.run(['webhook', 'deliveries', 'crm', '--status', 'delivered'])).stdout)
        expect(rows[1]).toEqual([expect.any(String), 'a-1', 'ended', 'delivered', '1'])
        return rows[1]?.[0] ?? ''
      },
      { timeoutMs: 20_000 },
    )
    const times = () => received.filter((body) => JSON.parse(body).eventId === delivered).length

    expect(await muster.json(['webhook', 'deliveries', 'crm'])).toEqual(await get('/webhooks/crm/deliveries'))
    expect(await muster.run(['webhook', 'replay', 'crm', delivered])).toEqual({ code: 0, stdout: '', stderr: '' })
    await eventually(() => expect(times()).toBe(2), { timeoutMs: 20_000 })
    expect(await muster.json(['webhook', 'replay', 'crm'])).toEqual({ replayedCount: 0 })
  })

  it('delete asks, and then there is none', async () => {
    const unasked = await muster.run(['webhook', 'delete', 'crm'])
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining(`Delete the webhook crm to ${url}`) })

    expect(await muster.run(['webhook', 'delete', 'crm', '--yes'])).toMatchObject({ code: 0 })
    expect(await muster.run(['webhook', 'show', 'crm'])).toMatchObject({ code: 3 })
    expect(await muster.run(['webhook', 'list', '-o', 'json'])).toMatchObject({ stdout: '[]\n' })
  })
})
