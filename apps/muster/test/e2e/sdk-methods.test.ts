import * as device from 'azure-iot-device'
import * as mqtt from 'azure-iot-device-mqtt'
import * as service from 'azure-iothub'
import { describe, expect, it } from 'vitest'
import { filesBelow } from '../architecture/sources.ts'
import { clientNames, noClients, publicMethods } from './sdk-methods.ts'
import { outOfScope } from './sdk-out-of-scope.ts'

const titles = filesBelow('apps/muster/test/e2e', '.test.ts')
  .filter(({ path }) => path.includes('/sdk-'))
  .flatMap(({ text }) => [...text.matchAll(/(?:\bit|\bdescribe|\))\(\s*['"`]([^'"`\n]*)/g)])
  .map(([, title = '']) => title)

/** Such as `Registry.create` and `device Client.open`. */
const named = new Set(titles.flatMap((title) => title.match(/\b(?:(?:service|device) )?[A-Z]\w+\.[a-z]\w*/g) ?? []))

describe('the tests of the SDKs', () => {
  it('name every public method that is not out of scope', () => {
    expect(publicMethods().length).toBeGreaterThan(100)
    expect(publicMethods().filter((method) => !named.has(method) && !(method in outOfScope))).toEqual([])
  })

  it('name no method that the SDKs do not have', () => {
    const methods = new Set(publicMethods())

    expect([...named, ...Object.keys(outOfScope)].filter((method) => !methods.has(method))).toEqual([])
  })

  it('know every export of the packages', () => {
    const exported = [
      ...namesOf(service).map((name) => ['service', name]),
      ...namesOf(device).map((name) => ['device', name]),
      ...namesOf(mqtt).map((name) => ['device', name]),
    ]
    const known = new Set([...clientNames, ...Object.keys(noClients)])

    expect(exported.filter(([side, name]) => !known.has(`${name}`) && !known.has(`${side} ${name}`))).toEqual([])
  })
})

function namesOf(exports: object): string[] {
  const ofTypes = (name: string) => Object(exports)[name] === undefined
  return Object.keys(exports).filter((name) => name !== 'default' && name !== 'module.exports' && !ofTypes(name))
}
