import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { putJob } from '../../jobs.ts'
import { givenFleet } from '../../simulated.ts'
import { openWay } from '../../way.ts'
import { type Muster, openMuster, rowsOf } from '../muster.ts'
import { openStandIn } from '../stand-in.ts'

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

const wait = ['--method-name', 'reboot', '--wait', '-o', 'json'] as const

/** A job for a device that is not there, so that it goes on until its window ends. */
async function givenOpenJob(jobId: string, maxExecutionTimeInSeconds = 600): Promise<void> {
  await using _ = await givenFleet(hub, { count: 1, prefix: jobId, tags: {} })
  await putJob(hub, jobId, {
    type: 'scheduleDeviceMethod',
    deviceIds: [`${jobId}-0000`],
    cloudToDeviceMethod: { methodName: 'reboot', payload: null },
    maxExecutionTimeInSeconds,
  })
}

describe('muster job create --wait, and job wait', () => {
  it('end with the job, and with 0 when all devices are well', async () => {
    await using fleet = await givenFleet(hub, { count: 3, prefix: 'well', tags: {} })
    await fleet.connect()

    const created = await muster.run(['job', 'create', 'well', '-q', "STARTSWITH(deviceId, 'well-')", ...wait])
    const waited = await muster.run(['job', 'wait', 'well', '-o', 'json'])

    expect(created.code).toBe(0)
    expect(JSON.parse(created.stdout)).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { succeededCount: 3 },
    })
    expect(waited).toEqual({ code: 0, stdout: created.stdout, stderr: '' })
  })

  it('end with 5 when the job has failed on a device', async () => {
    const { code, stdout } = await muster.run([
      'job',
      'create',
      'failing',
      '--device-ids',
      'nobody',
      '--ttl',
      '1',
      ...wait,
    ])

    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({ deviceJobStatistics: { failedCount: 1 } })
  })

  it('end with 6 when the job is cancelled', async () => {
    await givenOpenJob('unwanted')
    const waiting = muster.run(['job', 'wait', 'unwanted'])
    await muster.json(['job', 'cancel', 'unwanted', '--yes'])

    expect(await waiting).toMatchObject({ code: 6, stdout: expect.stringMatching(/STATUS +cancelled/) })
  })

  it('end with 7 when the time is over, and say that the job goes on', async () => {
    await givenOpenJob('slow')

    expect(await muster.run(['job', 'wait', 'slow', '--timeout', '1'])).toEqual({
      code: 7,
      stdout: '',
      stderr: 'muster: the job has not ended in 1 s: the job goes on; "muster job watch slow" shows it again\n',
    })
    expect(await muster.json(['job', 'show', 'slow'])).toMatchObject({ status: 'running' })
  })

  it('go on when the connection is lost, and say so', async () => {
    let streams = 0
    await using other = await openStandIn(hub, ({ url }, response) => {
      if (!url?.includes('/events')) {
        return response.end('{"jobId":"j1","status":"completed","deviceJobStatistics":{"failedCount":0}}')
      }
      streams += 1
      if (streams > 1) return response.end('event: ended\nid: 2\ndata: {"eventId":"2","kind":"ended"}\n\n')
      response.writeHead(200)
      return response.write(': heartbeat\n\n', () => response.destroy())
    })

    const { code, stderr } = await other.muster.run(['job', 'wait', 'j1'])

    expect(code).toBe(0)
    expect(stderr).toMatch(/^.*; trying again\n$/)
  })

  it('end with 1 and one line when the hub cannot be reached', async () => {
    await using other = await openMuster(null)
    await other.run(['context', 'set', 'gone', '--login', hub.connectionString, '--url', 'http://127.0.0.1:3'])

    expect(await other.run(['job', 'wait', 'slow'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^muster: http:\/\/127\.0\.0\.1:3 cannot be reached: .*\n$/),
    })
  })

  it('end with 3 when there is no such job', async () => {
    expect(await muster.run(['job', 'wait', 'nowhere'])).toMatchObject({ code: 3 })
  })
})

describe('muster job watch', () => {
  it('shows the counts as they change on standard error, and the job at its end', async () => {
    await using fleet = await givenFleet(hub, { count: 5, prefix: 'seen', tags: {} })
    await muster.json(['job', 'create', 'seen', '-q', "STARTSWITH(deviceId, 'seen-')", '--method-name', 'reboot'])
    const child = muster.start(['job', 'watch', 'seen'])
    const ended = Promise.all([text(child.stdout), once(child, 'exit')])
    const told = read(child)
    await eventually(() => expect(told.text).toMatch(/^seen {2}running {2}░+ {2}0 of 5, 5 (running|pending)$/m), {
      timeoutMs: 20_000,
    })
    await fleet.connect()

    const [stdout, [code]] = await ended
    expect(code).toBe(0)
    expect(rowsOf(stdout)).toContainEqual(['SUCCEEDED', '5'])
    expect(told.text.trim().split('\n').at(-1)).toBe(`seen  completed  ${'█'.repeat(30)}  5 of 5, 5 succeeded`)
  })

  it('says on Ctrl-C that the job goes on', async () => {
    await givenOpenJob('left')
    const child = muster.start(['job', 'watch', 'left'])
    const told = read(child)
    await eventually(() => expect(told.text).toContain('left  running'), { timeoutMs: 20_000 })
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')

    expect(code).toBe(130)
    expect(told.text).toContain('muster: the job goes on; "muster job watch left" shows it again\n')
    expect(await muster.json(['job', 'show', 'left'])).toMatchObject({ status: 'running' })
  })

  it('goes on when its connection is cut', async () => {
    await givenOpenJob('moved', 5)
    await using other = await openMuster(null)
    await using way = await openWay(hub.httpPort)
    await other.run(['context', 'set', 'way', '--login', hub.connectionString, '--url', `http://127.0.0.1:${way.port}`])
    const child = other.start(['job', 'watch', 'moved', '-o', 'json'])
    const ended = Promise.all([text(child.stdout), once(child, 'exit')])
    const told = read(child)
    await eventually(() => expect(told.text).toContain('moved  running'), { timeoutMs: 20_000 })
    way.cut()

    const [stdout, [code]] = await ended
    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({ status: 'completed', deviceJobStatistics: { failedCount: 1 } })
    expect(told.text).toContain('trying again')
  })
})

/** What a process has written to standard error so far. */
function read(child: ReturnType<Muster['start']>): { readonly text: string } {
  const told = { text: '' }
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    told.text += part
  })
  return told
}
