import { describe, expect, it } from 'vitest'
import { methodAnswerTopic, parseMessage, reportTopic } from './topics.ts'

describe('a message of the hub', () => {
  it.each([
    ['{"delay":5}', { delay: 5 }],
    ['null', null],
    ['', null],
  ])('is a method with the payload %s', (text, payload) => {
    expect(parseMessage('$iothub/methods/POST/re%2Fboot%20now/?$rid=1f', Buffer.from(text))).toEqual({
      kind: 'method',
      name: 're/boot now',
      requestId: '1f',
      payload,
    })
  })

  it('is a desired change, told apart from its version', () => {
    const payload = Buffer.from('{"interval":60,"mode":null,"$version":12}')

    expect(parseMessage('$iothub/twin/PATCH/properties/desired/?$version=12', payload)).toEqual({
      kind: 'desired',
      version: 12,
      patch: { interval: 60, mode: null },
    })
  })

  it('needs no reaction when it answers a report', () => {
    expect(parseMessage('$iothub/twin/res/204/?$rid=1&$version=6', Buffer.alloc(0))).toBeNull()
  })

  it('that breaks its own form is a bug of the hub', () => {
    const parse = () => parseMessage('$iothub/twin/PATCH/properties/desired/?$version=2', Buffer.from('[1]'))

    expect(parse).toThrow(/no object: \[1\]/)
  })
})

it('a device answers and reports on the topics of the SDK', () => {
  expect(methodAnswerTopic(-1, '1f')).toBe('$iothub/methods/res/-1/?$rid=1f')
  expect(reportTopic('3')).toBe('$iothub/twin/PATCH/properties/reported/?$rid=3')
})
