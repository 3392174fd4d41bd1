import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Db, rows, texts } from '../../src/postgres/sql.ts'
import { givenDevices, openStore } from './engine.ts'
import { anyHappening, jobRequest, outcomes } from './engine-model/arbitrary-happening.ts'
import { expectAgreement, expectEnd, expectLawfulMove, readState, type State } from './engine-model/checks.ts'
import { drain, endings } from './engine-model/drain.ts'
import { type Happening, once } from './engine-model/happenings.ts'
import { create, startDue } from './engine-model/jobs.ts'
import type { Model } from './engine-model/model.ts'
import { any, knownIds, type Step } from './engine-model/step.ts'

const numRuns = Number(process.env.MUSTER_TEST_MODEL_RUNS) || 60

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('the engine', () => {
  it('J2 J4 J5 J6 J7 J12 J13 J30 J31 goes where its model goes, whatever happens, and brings every device to one end', async () => {
    const requests = fc.array(jobRequest, { minLength: 1, maxLength: 3 })
    const endingOf = fc.record({ ending: fc.constantFrom(...endings), lastOutcomes: outcomes })
    const happenings = fc.commands([anyHappening.map(command)], { maxCommands: 80, size: 'max' })

    await fc.assert(
      fc.asyncProperty(requests, happenings, endingOf, async (requested, commands, ending) => {
        await reset()
        const model: Model = {
          now: lateOnSunday,
          jobs: [],
          claims: [],
          reachable: new Set(),
          registered: new Map(knownIds.map((id, index) => [id, index + 1])),
          registrations: knownIds.length,
          uncounted: 0,
        }
        const run = { db, state: await readState(db) }

        const take = (step: Step) => command(once(step)).run(model, run)

        for (const [jobNo, request] of requested.entries()) {
          await take(create(request))
          await take(startDue(any(jobNo)))
        }
        await fc.asyncModelRun(() => ({ model, real: run }), commands)
        await drain(db, model, ending, take)

        await expectEnd(db, model)
      }),
      { numRuns, timeout: 60_000 },
    )
    process.stdout.write(`${numRuns} random histories of the engine\n`)
  }, 3_600_000)
})

/** So that jobs start on both sides of the border between two partitions. */
const lateOnSunday = Date.parse('2026-03-01T23:58:00Z')

/** The engine, and what it said of itself before. */
interface Run {
  readonly db: Db
  state: State
}

function command({ text, isPossible, happen }: Happening): fc.AsyncCommand<Model, Run> {
  return {
    check: isPossible,
    async run(model, run) {
      await happen(run.db, model)
      const state = await readState(run.db)
      expectAgreement(model, state)
      expectLawfulMove(run.state, state)
      run.state = state
    },
    toString: () => text,
  }
}

/** The known devices are registered, and none is connected. The keys of the next jobs gain a digit: as text their order is another. */
async function reset(): Promise<void> {
  for (const table of ['jobs', 'chunks', 'device_jobs']) await rows(db, sql.raw(`delete from ${table}`))
  await rows(db, sql`alter table jobs alter column job_key restart with 8`)
  await rows(db, sql`delete from devices where device_id <> all(${texts(knownIds)})`)
  await givenDevices(db, knownIds, { isReachable: false })
  await rows(db, sql`update sessions set gateway_id = null, accepts_methods = false`)
}
