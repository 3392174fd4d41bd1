import type { JsonObject } from '@muster/contract'
import { describe, expect, it } from 'vitest'
import { parseCondition, parseQuery } from '../syntax/parse.ts'
import { evaluate } from './evaluate.ts'

const fleet = [
  twin('lift-1', {
    lastActivityTime: '2026-05-04T06:00:00.000Z',
    tags: { building: 43, floor: 3, owner: "o'hara", spare: true, 'key-no': 7, wing: { side: 'east', doors: [1, 2] } },
    properties: { desired: { speed: 2, $version: 4 }, reported: { speed: 2, load: 0.5, $version: 9 } },
  }),
  twin('lift-2', {
    status: 'disabled',
    lastActivityTime: '2026-05-04T06:00:00.500Z',
    tags: { building: 43, floor: '3', spare: false, wing: { side: 'west' } },
    properties: { desired: { speed: 3, $version: 1 }, reported: { speed: 2, load: 'none', $version: 2 } },
  }),
  twin('Boiler-1', {
    connectionState: 'Connected',
    lastActivityTime: '2026-05-05T00:00:00.000Z',
    tags: { building: 7, floor: -1, owner: 'Ann', wing: 'east' },
    properties: { desired: { $version: 1 }, reported: { load: null, $version: 1 } },
    capabilities: { iotEdge: true },
  }),
  twin('pump:1', {
    properties: { desired: { speed: 60, $version: 2 }, reported: { labels: ['hot', 'new'], $version: 5 } },
  }),
]

function twin(deviceId: string, members: JsonObject): JsonObject {
  return {
    deviceId,
    status: 'enabled',
    connectionState: 'Disconnected',
    lastActivityTime: '0001-01-01T00:00:00Z',
    cloudToDeviceMessageCount: 0,
    x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    version: 2,
    capabilities: { iotEdge: false },
    ...members,
  }
}

function selected(condition: string): readonly unknown[] {
  const where = parseCondition(condition)
  return fleet.filter((document) => evaluate(where, document)).map(({ deviceId }) => deviceId)
}

const all = ['lift-1', 'lift-2', 'Boiler-1', 'pump:1']

describe('Q4 Q5 members, and what is not there', () => {
  it.each([
    ['*', all],
    ['1 = 1', all],
    ["'east'", []],
    ['true', all],
    ['is_defined(DeviceId)', all],
    ['DEVICES.deviceid = "lift-1"', ['lift-1']],
    ["deviceId = 'LIFT-1'", []],
    ['TAGS.building = 43', ['lift-1', 'lift-2']],
    ['tags.Building = 43', []],
    ['Properties.Reported.speed = 2', ['lift-1', 'lift-2']],
    ['properties.reported.Speed = 2', []],
    ['property.reported.speed = 2', []],
    ['properties.desired.$version > 1', ['lift-1', 'pump:1']],
    ["properties.desired['$version'] = 4", ['lift-1']],
    ["tags['key-no'] = 7", ['lift-1']],
    ['tags.[[key-no]] = 7', ['lift-1']],
    ['tags.key-no = 7', []],
    ["properties.reported.labels[1] = 'new'", ['pump:1']],
    ["properties.reported.labels[2] = 'new'", []],
    ["properties.reported.labels['1'] = 'new'", []],
    ['tags.wing[0] = 1', []],
    ["tags.wing.side = 'east'", ['lift-1']],
    ["tags.wing = 'east'", ['Boiler-1']],
    ['tags.wing.doors = tags.wing.doors', []],
    ['properties.desired != properties.reported', []],
    ['capabilities.iotEdge', ['Boiler-1']],
    ["x509Thumbprint.primaryThumbprint = null AND deviceId = 'lift-1'", ['lift-1']],
    ['tags.constructor = undefined OR IS_DEFINED(tags.constructor)', []],
    ['IS_DEFINED(tags)', ['lift-1', 'lift-2', 'Boiler-1']],
    ['tags.missing = null', []],
    ['NOT tags.missing = 1', []],
    ['properties.reported.load = null', ['Boiler-1']],
    ['tags.missing = undefined', []],
  ])('%s selects %j', (condition, ids) => {
    expect(selected(condition)).toEqual(ids)
  })
})

describe('Q6 Q8 Q9 comparisons, lists and arithmetic', () => {
  it.each([
    ['tags.floor = 3', ['lift-1']],
    ["tags.floor = '3'", ['lift-2']],
    ["tags.floor != '3'", ['lift-1', 'Boiler-1']],
    ['tags.floor >= -1', ['lift-1', 'Boiler-1']],
    ["tags.floor > '2'", ['lift-2']],
    ['tags.spare > false', []],
    ["tags.owner < 'b'", ['Boiler-1']],
    ['tags.owner = "o\'hara"', ['lift-1']],
    ["tags.owner = 'o\\'hara'", ['lift-1']],
    ["tags.owner < 'p\\u0000'", ['lift-1', 'Boiler-1']],
    ["tags.floor IN [3, '3']", ['lift-1', 'lift-2']],
    ['tags.floor NIN [3]', ['lift-2', 'Boiler-1']],
    ['tags.wing NIN [3]', ['Boiler-1']],
    ['NOT tags.floor IN [3]', ['lift-2', 'Boiler-1']],
    ['properties.desired.speed = properties.reported.speed', ['lift-1']],
    ['properties.desired.speed != properties.reported.speed', ['lift-2']],
    ['properties.desired.speed % 2 = 0', ['lift-1', 'pump:1']],
    ['properties.desired.speed / 0 > 0 OR properties.desired.speed % 0 >= 0', []],
    ['properties.reported.load * 2 = 1', ['lift-1']],
    ["tags.owner + 'x' = 'Annx'", []],
    ['-tags.floor = 1', ['Boiler-1']],
    ['(tags.floor = 3) = tags.spare', ['lift-1', 'lift-2']],
  ])('%s selects %j', (condition, ids) => {
    expect(selected(condition)).toEqual(ids)
  })
})

describe('Q2 only true selects', () => {
  it.each([
    ['tags.spare', ['lift-1']],
    ['NOT tags.spare', ['lift-2']],
    ['tags.owner', []],
    ['NOT tags.owner', ['lift-1', 'Boiler-1']],
    ['NOT NOT tags.spare', ['lift-1']],
    ['tags.missing = 1 OR tags.building = 7', ['Boiler-1']],
    ['NOT (tags.missing = 1 AND tags.building = 7)', ['lift-1', 'lift-2']],
    ["tags.building = 43 AND NOT deviceId = 'lift-1'", ['lift-2']],
    ['tags.building = 7 OR tags.building = 43 AND tags.spare', ['lift-1', 'Boiler-1']],
    ['tags.owner OR tags.building = 43', ['lift-1', 'lift-2']],
  ])('%s selects %j', (condition, ids) => {
    expect(selected(condition)).toEqual(ids)
  })
})

describe('Q10 instants', () => {
  it.each([
    ["lastActivityTime >= '2026-05-04T06:00:00.5Z'", ['lift-2', 'Boiler-1']],
    ["lastActivityTime = '2026-05-04T08:00:00+02:00'", ['lift-1']],
    ["lastActivityTime = '2026-05-05'", ['Boiler-1']],
    ["lastActivityTime IN ['2026-05-05', 'x']", ['Boiler-1']],
    ["lastActivityTime NIN ['2026-05-05', '0001-01-01']", ['lift-1', 'lift-2']],
    ["'2026-05-04T06:00' > lastActivityTime", ['pump:1']],
    ["lastActivityTime > 'x'", []],
    ["lastActivityTime < 'x'", all],
    ['lastActivityTime > 1', []],
    ["STARTSWITH(lastActivityTime, '2026-05-04')", ['lift-1', 'lift-2']],
  ])('%s selects %j', (condition, ids) => {
    expect(selected(condition)).toEqual(ids)
  })

  it('are not seen in members of users', () => {
    const where = parseCondition("tags.seen = '2026-05-04T08:00:00+02:00'")
    expect(evaluate(where, { tags: { seen: '2026-05-04T06:00:00Z' } })).toBe(false)
  })
})

describe('Q11 functions', () => {
  it.each([
    ["STARTSWITH(deviceId, 'lift')", ['lift-1', 'lift-2']],
    ["endswith(deviceId, '-1')", ['lift-1', 'Boiler-1']],
    ["NOT STARTSWITH(tags.owner, 'A')", ['lift-1']],
    ["NOT STARTSWITH(tags.floor, 'A')", ['lift-2']],
    ["STARTSWITH(tags.owner, '')", ['lift-1', 'Boiler-1']],
    ['IS_DEFINED(properties.reported.load)', ['lift-1', 'lift-2', 'Boiler-1']],
    ['IS_NULL(properties.reported.load)', ['Boiler-1']],
    ['IS_NUMBER(tags.floor)', ['lift-1', 'Boiler-1']],
    ['IS_STRING(tags.floor)', ['lift-2']],
    ['IS_BOOL(tags.spare)', ['lift-1', 'lift-2']],
    ['IS_OBJECT(tags.wing)', ['lift-1', 'lift-2']],
    ['IS_ARRAY(properties.reported.labels)', ['pump:1']],
    ['IS_PRIMITIVE(tags.wing)', ['Boiler-1']],
    ['NOT IS_NUMBER(tags.floor)', ['lift-2', 'pump:1']],
    ['IS_NUMBER(tags.floor / 0)', []],
  ])('%s selects %j', (condition, ids) => {
    expect(selected(condition)).toEqual(ids)
  })
})

describe('Q13 device jobs', () => {
  const row = {
    deviceId: 'lift-1',
    jobId: 'reboot-3',
    jobType: 'scheduleDeviceMethod',
    status: 'canceled',
    createdDateTimeUtc: '2026-05-04T06:00:00.000Z',
    outcome: { deviceMethodResponse: { status: 500, payload: { code: 'E7' } } },
    error: { code: 'GatewayTimeout' },
  }

  it.each([
    ["devices.jobs.jobId = 'reboot-3'", true],
    ["jobid = 'reboot-3' AND Devices.Jobs.deviceId = 'lift-1'", true],
    ["createdTimeUtc > '2026-05-04'", true],
    ["createdDateTimeUtc < '2026-05-04T09:00:00+02:00'", true],
    ['outcome.deviceMethodResponse.status >= 500', true],
    ["outcome.deviceMethodResponse.payload.code = 'E7'", true],
    ["devices.jobs.error.code IN ['GatewayTimeout']", true],
    ["status = 'cancelled'", true],
    ["status IN ['Canceled', 'failed']", true],
    ["'pending' = status", false],
    ["jobType = 'scheduledDeviceMethod' AND jobType != 'scheduleTwinUpdate'", true],
    ["jobType NIN ['SCHEDULEDIRECTREQUEST']", false],
    ['IS_DEFINED(unheardOf)', false],
  ])('the row of a canceled method job is %s: %j', (condition, isSelected) => {
    const { where } = parseQuery(`SELECT * FROM devices.jobs WHERE ${condition}`)
    expect(evaluate(where, row)).toBe(isSelected)
  })

  it('a pending row is found by the word of the 2016 versions and of the later ones', () => {
    const { where } = parseQuery("SELECT * FROM devices.jobs WHERE status = 'queued' AND status = 'pending'")
    expect(evaluate(where, { status: 'pending' })).toBe(true)
  })

  it('other spellings of a status mean nothing on twins', () => {
    const { where } = parseQuery("SELECT * FROM devices WHERE status = 'Enabled'")
    expect(evaluate(where, { status: 'enabled' })).toBe(false)
  })
})
