import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { foldMembers, membersOf } from './members.ts'

const schema = z
  .object({
    jobId: z.string(),
    inside: z.object({ keyName: z.string().nullish() }).nullish(),
    payload: z.unknown(),
    list: z.array(z.object({ keyName: z.string() })),
  })
  .transform((body) => body)
const members = membersOf(schema) ?? {}

describe('members in any letter case', () => {
  it('are those of every object that a schema knows, and no deeper ones', () => {
    expect(members).toEqual({ jobId: null, inside: { keyName: null }, payload: null, list: null })
  })

  it('are spelled right at each level, and what is the caller’s own stays', () => {
    const body = { JOBID: 'a', Inside: { KEYname: 'b' }, PayLoad: { KEYname: 'c' }, list: [{ KEYname: 'd' }] }

    expect(foldMembers(body, members)).toEqual({
      jobId: 'a',
      inside: { keyName: 'b' },
      payload: { KEYname: 'c' },
      list: [{ KEYname: 'd' }],
    })
  })

  it('give way to those that are spelled right, wherever these stand; else the last one counts', () => {
    expect(foldMembers({ jobId: 'right', JobId: 'wrong' }, members)).toEqual({ jobId: 'right' })
    expect(foldMembers({ JobId: 'wrong', jobId: null, JOBID: 'wrong' }, members)).toEqual({ jobId: null })
    expect(foldMembers({ JobId: 'first', JOBID: 'last' }, members)).toEqual({ jobId: 'last' })
  })

  it('are the only ones that are kept', () => {
    expect(foldMembers(JSON.parse('{"__proto__":{"jobId":"a"},"other":1}'), members)).toEqual({})
  })

  it.each([null, undefined, 7, 'text', [{ JobId: 'a' }]])('are no matter of %j', (body) => {
    expect(foldMembers(body, members)).toBe(body)
  })
})
