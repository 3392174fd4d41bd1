import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

const page = readFileSync(new URL('../../../../docs/rollouts.md', import.meta.url), 'utf8')

/** Each request of the page: its address and its body. */
const requests = [...page.matchAll(/```http\nPUT (\S+)\n\n([\s\S]*?)```/g)].map(([, path = '', body = '']) => ({
  path,
  body: JSON.parse(body),
}))

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

it('R1 the page of worked examples has some', () => {
  expect(requests.map(({ path }) => path)).toHaveLength(6)
})

it.each(requests)(
  'R1 the worked example $path is taken as it stands, and nothing of it is without effect',
  async ({ path, body }) => {
    const { status, body: reply } = await api.send('PUT', path, body)
    const { body: read } = await api.send('GET', path)

    expect({ status, warnings: reply.warnings }).toEqual({ status: 200, warnings: undefined })
    expect(read).toMatchObject(asRead(body))
  },
)

/** Reads show the operation in a normal form, and what was given of the rest. */
function asRead({ updateTwin, cloudToDeviceMethod, job, ...rest }: Record<string, unknown>): object {
  return rest
}
