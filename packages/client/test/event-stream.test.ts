import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type Client, createClient } from '../src/index.ts'
import { startAnswering } from './answering.ts'

/** Writes events of a job, and ends the connection. */
function tell(response: ServerResponse, ...events: readonly (readonly [id: string, kind: string])[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': heartbeat\n\n')
  for (const [eventId, kind] of events) {
    response.write(`event: ${kind}\nid: ${eventId}\ndata: ${JSON.stringify({ eventId, kind, jobId: 'j1' })}\n\n`)
  }
  response.end()
}

async function idsOf(events: ReturnType<Client['jobs']['events']>): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const told of events) ids.push(told.kind === 'statistics' ? told.status : told.eventId)
  return ids
}

describe('the events of a job', () => {
  it('go on after the last one when the connection was lost, without a gap and without a double', async () => {
    await using server = await startAnswering((response, index) =>
      index === 0 ? tell(response, ['1', 'created'], ['2', 'started']) : tell(response, ['3', 'ended']),
    )

    expect(await idsOf(server.client.jobs.events('j1'))).toEqual(['1', '2', '3'])
    expect(server.requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2'])
  })

  it('are not lost when the connection is lost before the first one: the hub has said where the stream begins', async () => {
    await using server = await startAnswering((response, index) => {
      if (index > 0) return tell(response, ['8', 'created'])
      response.writeHead(200).end('retry: 1\n\nevent: opened\nid: 7\ndata: {}\n\n')
    })

    const events = server.client.jobs.allEvents()[Symbol.asyncIterator]()
    const first = await events.next()
    await events.return?.()

    expect(first.value).toMatchObject({ eventId: '8' })
    expect(server.requests[1]?.headers['last-event-id']).toBe('7')
  })

  it('may be of a kind that a later hub has, and messages that are no events are skipped', async () => {
    await using server = await startAnswering((response, index) => {
      if (index > 0) return tell(response, ['3', 'ended'])
      response.writeHead(200).write('event: weather\ndata: {"isFine":true}\n\n')
      response.end('event: paused\nid: 2\ndata: {"eventId":"2","kind":"paused","until":null}\n\n')
    })

    expect(await idsOf(server.client.jobs.events('j1'))).toEqual(['2', '3'])
    expect(server.requests[1]?.headers['last-event-id']).toBe('2')
  })

  it('end when the hub has told everything before', async () => {
    await using server = await startAnswering((response) => response.writeHead(204).end())

    expect(await idsOf(server.client.jobs.events('j1', { lastEventId: '3' }))).toEqual([])
    expect(server.requests[0]?.headers['last-event-id']).toBe('3')
  })

  it('hold statistics, which have no id and move the place of the stream not at all', async () => {
    await using server = await startAnswering((response, index) => {
      if (index > 0) return tell(response, ['2', 'ended'])
      response.writeHead(200).write('event: created\nid: 1\ndata: {"eventId":"1","kind":"created"}\n\n')
      response.end('event: statistics\ndata: {"jobId":"j1","status":"running","deviceJobStatistics":{}}\n\n')
    })

    expect(await idsOf(server.client.jobs.events('j1'))).toEqual(['1', 'running', '2'])
    expect(server.requests[1]?.headers['last-event-id']).toBe('1')
  })

  it('go on when the hub has dropped a reader that was slow, or is away for a while', async () => {
    await using server = await startAnswering((response, index) => {
      if (index === 0) return response.writeHead(200).end('event: dropped\ndata: {"reason":"slow"}\n\n')
      if (index === 1) return response.destroy()
      return tell(response, ['1', 'cancelled'])
    })

    expect(await idsOf(server.client.jobs.events('j1'))).toEqual(['1'])
  })

  it('are refused once and for all when there is no such job', async () => {
    await using server = await startAnswering((response) => response.writeHead(404).end())

    await expect(idsOf(server.client.jobs.events('j1'))).rejects.toMatchObject({ status: 404 })
    expect(server.requests).toHaveLength(1)
  })

  it('are given up at once when the hub was never there', async () => {
    const client = createClient({ url: 'http://127.0.0.1:3', token: 'secret' })

    await expect(idsOf(client.jobs.events('j1'))).rejects.toMatchObject({ code: 'HubUnreachable' })
  })

  it('are given up when the certificate of the hub is no longer trusted', async () => {
    await using server = await startAnswering((response) => tell(response, ['1', 'created']))
    let calls = 0
    const client = createClient({
      url: server.client.url,
      token: 'secret',
      fetch: async (...request) => {
        calls += 1
        if (calls === 1) return fetch(...request)
        throw new TypeError('fetch failed', { cause: new Error('certificate has expired') })
      },
    })

    await expect(idsOf(client.jobs.events('j1'))).rejects.toThrow(/certificate has expired; set NODE_EXTRA_CA_CERTS/)
    expect(calls).toBe(2)
  })

  it('end when their reader has had enough, and so does the connection', async () => {
    let isClosed: Promise<void> | undefined
    await using server = await startAnswering((response) => {
      isClosed = new Promise((resolve) => response.on('close', resolve))
      response.writeHead(200).write('event: created\nid: 1\ndata: {"eventId":"1","kind":"created"}\n\n')
    })

    for await (const told of server.client.jobs.events('j1')) {
      expect(told.kind).toBe('created')
      break
    }
    await expect(isClosed).resolves.toBeUndefined()
  })

  it('end with the reason of a signal', async () => {
    await using server = await startAnswering((response) => response.writeHead(200).write(': heartbeat\n\n'))

    await expect(idsOf(server.client.jobs.events('j1', { signal: AbortSignal.timeout(50) }))).rejects.toThrow(/timeout/)
  })
})
