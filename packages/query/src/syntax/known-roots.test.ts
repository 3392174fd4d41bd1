import { describe, expect, it } from 'vitest'
import { parseCondition, parseNewCondition } from './parse.ts'

describe('Q32 the condition of a new job', () => {
  it.each([
    ["tag.site = 'paris'", 'tag', 'The nearest member is tags.site.'],
    ["Tagz.site['a b'][0] = 1", 'Tagz', "The nearest member is tags.site['a b'][0]."],
    ['tags.site = paris', 'paris', "For a text, write 'paris' in quotes."],
    ['paris = tags.site', 'paris', "For a text, write 'paris' in quotes."],
    ['tags.floor > 1 AND NOT (tags.site = paris)', 'paris', "For a text, write 'paris' in quotes."],
    ["device_id = 'a'", 'device_id', 'The nearest member is deviceId.'],
    ["statuss IN ['enabled']", 'statuss', 'The nearest member is status.'],
    ['desired.speed > 1', 'desired', 'The nearest member is properties.desired.speed.'],
    ['IS_DEFINED(Reported.speed)', 'Reported', 'The nearest member is properties.reported.speed.'],
    ['c.tags.floor + 1 = 2', 'c', 'Leave c out: tags.floor.'],
    ['tags.bay-no = 12', 'no', "For a name with a hyphen, write tags['bay-no']."],
    ["site = 'paris'", 'site', 'Tags are below tags, properties below properties.desired and properties.reported.'],
  ])('%j names the root that no twin has, and what to write', (text, found, hint) => {
    expect(() => parseNewCondition(text)).toThrow(`found "${found}", expected a member of a twin. ${hint}`)
    expect(() => parseCondition(text)).not.toThrow()
  })

  it.each([
    '*',
    "devices.Tags.site = 'paris' AND DEVICEID != 'a'",
    'properties.nothing = 1 OR NOT IS_DEFINED(tags.tag)',
    'capabilities.iotEdge = true',
    "STARTSWITH(deviceScope, 'ms-azure-iot-edge://') OR IS_DEFINED(configurations) OR moduleId = 'm'",
  ])('%j has no such root', (text) => {
    expect(() => parseNewCondition(text)).not.toThrow()
  })
})
