import { storedDeviceId, storedIdentity } from '@muster/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { desiredTopic, methodRequestTopic, parseDeviceTopic, parseFilter, twinResponseTopic } from './topics.ts'

const d1 = storedDeviceId('d1')
const m1 = storedIdentity('d1/m1')

/** A request id as it may stand in a topic: percent-encoded by the device, so without the marks of the grammar. */
const rid = fc.string({ minLength: 1, unit: 'grapheme' }).map((text) => encodeURIComponent(text.toWellFormed()))

describe('topics that a device publishes', () => {
  it('G20 a request id comes back as it was sent, whatever it is', () => {
    fc.assert(
      fc.property(rid, (id) => {
        expect(parseDeviceTopic(`$iothub/twin/GET/?$rid=${id}`, d1)).toEqual({ kind: 'twinGet', rid: id })
        expect(twinResponseTopic({ status: 200, rid: id })).toBe(`$iothub/twin/res/200/?$rid=${id}`)
      }),
    )
  })

  it('reads a reported patch, with and without the version that it is based on', () => {
    const topic = '$iothub/twin/PATCH/properties/reported/?$rid=7'

    expect(parseDeviceTopic(topic, d1)).toEqual({ kind: 'reportedPatch', rid: '7', baseVersion: null })
    expect(parseDeviceTopic(`${topic}&$version=4`, d1)).toEqual({ kind: 'reportedPatch', rid: '7', baseVersion: '4' })
  })

  it('reads the answer to a method with any status and with properties behind the request id', () => {
    expect(parseDeviceTopic('$iothub/methods/res/-1/?$rid=a9', d1)).toEqual({
      kind: 'methodAnswer',
      rid: 'a9',
      status: '-1',
    })
    expect(parseDeviceTopic('$iothub/methods/res/200/?$rid=a9&x=1&y', d1)).toEqual({
      kind: 'methodAnswer',
      rid: 'a9',
      status: '200',
    })
  })

  it('reads telemetry with and without properties', () => {
    for (const end of ['', '/', '/$.ct=application%2Fjson&x=1', '/x=1/']) {
      expect(parseDeviceTopic(`devices/d1/messages/events${end}`, d1)).toEqual({ kind: 'telemetry' })
    }
  })

  it('G12 refuses every other topic', () => {
    const refused = [
      'foo',
      'devices/d2/messages/events/',
      'devices/d1/messages/eventsource',
      'devices/d1/modules/m/messages/events/',
      'devices/d1/messages/devicebound/',
      '$iothub/twin/GET/',
      '$iothub/twin/GET/?$rid=',
      '$iothub/twin/PATCH/properties/desired/?$rid=1',
      '$iothub/twin/res/200/?$rid=1',
      '$iothub/methods/POST/ping/?$rid=1',
      '$iothub/methods/res//?$rid=1',
      '$iothub/methods/res/200/more/?$rid=1',
    ]

    expect(refused.filter((topic) => parseDeviceTopic(topic, d1) !== null)).toEqual([])
  })

  it('G51 reads the telemetry of a module under its own path, and nowhere else', () => {
    for (const end of ['', '/', '/$.on=output&x=1']) {
      expect(parseDeviceTopic(`devices/d1/modules/m1/messages/events${end}`, m1)).toEqual({ kind: 'telemetry' })
    }
    for (const path of ['devices/d1', 'devices/d1/modules/m', 'devices/d1/modules/m11', 'devices/d2/modules/m1']) {
      expect(parseDeviceTopic(`${path}/messages/events/`, m1)).toBeNull()
    }
    expect(parseDeviceTopic('$iothub/twin/GET/?$rid=1', m1)).toEqual({ kind: 'twinGet', rid: '1' })
  })

  it('G12 no text makes the parser throw, and none is taken for the telemetry of another device', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseDeviceTopic(`devices/d2${text}`, d1)).toBeNull()
        parseDeviceTopic(`$iothub/${text}`, d1)
      }),
    )
  })
})

describe('filters that a device subscribes to', () => {
  it('G10 takes the filters of the contract', () => {
    expect(parseFilter('devices/d1/messages/devicebound/#', d1)).toEqual({ kind: 'cloudToDevice' })
    expect(parseFilter('$iothub/twin/res/#', d1)).toEqual({ kind: 'twinResponses' })
    expect(parseFilter('$iothub/twin/PATCH/properties/desired/#', d1)).toEqual({ kind: 'desired' })
    expect(parseFilter('$iothub/methods/POST/#', d1)).toEqual({ kind: 'methods', methodName: null })
  })

  it('G10 takes a filter for one method, with or without its end', () => {
    for (const filter of ['reboot', 'reboot/', 'reboot/#']) {
      expect(parseFilter(`$iothub/methods/POST/${filter}`, d1)).toEqual({ kind: 'methods', methodName: 'reboot' })
    }
    expect(parseFilter('$iothub/methods/POST/a%2Ab/#', d1)).toEqual({ kind: 'methods', methodName: 'a*b' })
  })

  it('G51 takes those of a module, and not those of its device', () => {
    for (const filter of ['devices/d1/modules/m1/#', 'devices/d1/modules/m1/inputs/#']) {
      expect(parseFilter(filter, m1)).toEqual({ kind: 'cloudToDevice' })
      expect(parseFilter(filter, d1)).toBeNull()
    }
    expect(parseFilter('devices/d1/messages/devicebound/#', m1)).toBeNull()
    expect(parseFilter('$iothub/methods/POST/#', m1)).toEqual({ kind: 'methods', methodName: null })
  })

  it('G10 refuses every other filter', () => {
    const refused = [
      '#',
      '+/+',
      'foo/#',
      '$iothub/#',
      '$iothub/twin/#',
      '$iothub/methods/POST/+',
      '$iothub/methods/POST/%zz/#',
      '$iothub/methods/POST/a/b/#',
      `$iothub/methods/POST/${'a'.repeat(129)}/#`,
      'devices/d2/messages/devicebound/#',
      'devices/+/messages/devicebound/#',
      'devices/d1/messages/events/#',
    ]

    expect(refused.filter((filter) => parseFilter(filter, d1) !== null)).toEqual([])
  })
})

describe('topics that the hub publishes', () => {
  it('have the slash before the question mark that SDKs split at', () => {
    expect(twinResponseTopic({ status: 204, rid: '1', version: 6 })).toBe('$iothub/twin/res/204/?$rid=1&$version=6')
    expect(desiredTopic(12)).toBe('$iothub/twin/PATCH/properties/desired/?$version=12')
    expect(methodRequestTopic('reboot', '1f')).toBe('$iothub/methods/POST/reboot/?$rid=1f')
  })

  it('G30 carry any method name without breaking the grammar', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        const levels = methodRequestTopic(name, '1').split('/')

        expect(levels).toHaveLength(5)
        expect(decodeURIComponent(levels[3] ?? '')).toBe(name)
        expect(levels[3]).not.toMatch(/[#+?]/)
      }),
    )
  })
})
