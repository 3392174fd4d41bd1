import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Change, changedIn } from './changed.ts'
import { type ExampleSecrets, writeExampleSecrets } from './example-secrets.ts'
import { documentsOf, renderAll, renderedNames } from './rendered.ts'
import { settingComplaints } from './setting-rules.ts'

const rendered = await renderAll()

describe.skipIf('absent' in rendered)('the settings of the pods', () => {
  let secrets: ExampleSecrets
  beforeAll(async () => {
    secrets = await writeExampleSecrets()
  })
  afterAll(() => secrets[Symbol.asyncDispose]())

  it.each(renderedNames)('%s: are taken by the hub, which stops within the grace period of each pod', (name) => {
    expect(settingComplaints(documentsOf(rendered, name), secrets.fileOf)).toEqual([])
  })

  it.each<Change>([
    ['Deployment muster-worker', 'MUSTER_OPERATOR_TOKEN_FILE', 'MUSTER_OPERATOR_TOKN_FILE', 'is no setting'],
    ['Deployment muster-worker', '"DATABASE_URL_FILE"', '"DATABASE_URL"', 'DATABASE_URL is in the environment'],
    ['Deployment muster-worker', '"REDIS_URL_FILE"', '"REDIS_FILE"', 'REDIS_FILE is no setting of the hub'],
    ['Deployment muster-worker', '/redis-url', '/redis', 'REDIS_URL_FILE: ENOENT'],
    [
      'Deployment muster-worker',
      '"terminationGracePeriodSeconds":45',
      '"terminationGracePeriodSeconds":30',
      'expected 37 at least',
    ],
    ['Deployment muster-api', '"seconds":15', '"seconds":40', 'has 60 s to stop, expected 77 at least'],
    ['Deployment muster-gateway', '"containerPort":8883', '"containerPort":1883', 'the hub listens elsewhere'],
    ['Deployment muster-gateway', '"args":["gateway"]', '"args":["gatway"]', 'runs gatway, expected a role or migrate'],
  ])('are refused when they are wrong: %s with %s as %s', (...given) => {
    expect(
      settingComplaints(changedIn(documentsOf(rendered, 'overlays/large'), given), secrets.fileOf).join('\n'),
    ).toContain(given[3])
  })
})
