import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { type Muster, openMuster } from './muster.ts'

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

describe('the exit code', () => {
  it('is 2 for a wrong command line, and the nearest word is named', async () => {
    expect(await muster.run(['job', 'lits'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('(Did you mean list?)'),
    })
    expect(await muster.run(['jbo', 'list'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('(Did you mean job?)'),
    })
    expect(await muster.run(['job', 'list', '--outptu', 'json'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('(Did you mean --output?)'),
    })
    expect(await muster.run(['job', 'show'])).toMatchObject({
      code: 2,
      stderr: 'muster: the job id is missing: give it after the command, or as --job-id\n',
    })
    expect(await muster.run(['job', 'list', '--query', 'a b'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^muster: --query is no JMESPath expression that fits: .*\n$/),
    })
    expect(await muster.run(['api', 'gatway'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("'gatway' is invalid for argument 'roles'"),
    })
  })

  it('is 3 for what is not there, and the tracking id is told', async () => {
    expect(await muster.run(['job', 'show', 'nowhere'])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^muster: JobNotFound: There is no job with the id nowhere \(tracking id .*\)\n$/),
    })
    expect(await muster.run(['device', 'show', 'nobody'])).toMatchObject({ code: 3 })
    expect(await muster.run(['context', 'use', 'nowhere'])).toMatchObject({ code: 3 })
  })

  it('is 1 for a refusal of the hub that is none of the others', async () => {
    expect(await muster.run(['query', 'SELECT * FROM nothing'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^muster: ArgumentInvalid: .*\n$/),
    })
  })

  it('is 0 for help and for the version', async () => {
    const { version } = createRequire(import.meta.url)('../../package.json')

    expect(await muster.run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
    expect(await muster.run(['job', 'create', '--help'])).toMatchObject({ code: 0 })
    expect(await muster.run(['help', 'simulate'])).toMatchObject({ code: 0 })
  })
})
