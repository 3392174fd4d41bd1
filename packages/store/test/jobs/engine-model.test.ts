import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { type Db, rows, texts } from '../../src/postgres/sql.ts'
import { givenDevices, openStore } from './engine.ts'
import { anyHappening, clocks, jobRequest, outcomes } from './engine-model/arbitrary-happening.ts'
import { expectAgreement, expectEnd, expectLawfulMove, readState, type State } from './engine-model/checks.ts'
import { drain, endings } from './engine-model/drain.ts'
import { type Happening, once } from './engine-model/happenings.ts'
import { create, startDue } from './engine-model/jobs.ts'
import { type Model, workerCount } from './engine-model/model.ts'
import { any, knownIds, type Step } from './engine-model/step.ts'
import { takeAnother } from './engine-model/workers.ts'

const numRuns = Number(process.env.MUSTER_TEST_MODEL_RUNS) || 300
const seed = Number(process.env.MUSTER_TEST_MODEL_SEED ?? Date.now() % 2 ** 31)
/** Histories side by side, so that Postgres works on one while another is checked. */
const laneCount = 3

describe('the engine', () => {
  it('C3 J2 J4 J5 J6 J7 J12 J13 J30 J31 J40 J41 R10 R16 R17 R18 R19 R20 R25 R39 R42 R56 R57 R65 R67 R70 goes where its model goes, whatever happens and clocks say, and brings every device to one end', {
    timeout: 60_000 + numRuns * 1_000,
  }, async () => {
    process.stdout.write(`${numRuns} random histories of the engine, seed ${seed}\n`)
    await Promise.all(
      Array.from({ length: laneCount }, (_, lane) => expectLawful(Math.ceil(numRuns / laneCount), seed + lane)),
    )
  })
})

/** Random histories in a database of their own. Whoever gives their seed gets them again; what happens at once may come out otherwise. */
async function expectLawful(numRuns: number, seed: number): Promise<void> {
  await using store = await openStore()
  const { db } = store
  const requests = fc.array(jobRequest, { minLength: 1, maxLength: 3 })
  const endingOf = fc.record({ ending: fc.constantFrom(...endings), lastOutcomes: outcomes })
  const happenings = fc.commands([anyHappening.map(command)], { maxCommands: 80, size: 'max' })

  await fc.assert(
    fc.asyncProperty(requests, clocks, happenings, endingOf, async (requested, clocks, commands, ending) => {
      await reset(db)
      const model: Model = {
        now: lateOnSunday,
        clocks,
        jobs: [],
        claims: [],
        workers: Array.from({ length: workerCount + 1 }, (_, no) => ({ workerId: `worker-${no}`, leaseUntil: 0 })),
        leases: new Map(),
        leaseCount: 0,
        reachable: new Set(),
        registered: new Map(knownIds.map((id, index) => [id, index + 1])),
        registrations: knownIds.length,
        uncounted: 0,
      }
      const run = { db, state: await readState(db) }

      const take = (step: Step) => command(once(step)).run(model, run)

      for (let no = 0; no < workerCount; no += 1) await take(takeAnother(no))
      for (const [jobNo, request] of requested.entries()) {
        await take(create(request))
        await take(startDue(any(jobNo)))
      }
      await fc.asyncModelRun(() => ({ model, real: run }), commands)
      await drain(db, model, ending, take)

      await expectEnd(db, model)
    }),
    { numRuns, seed, timeout: 60_000, verbose: fc.VerbosityLevel.Verbose },
  )
}

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
async function reset(db: Db): Promise<void> {
  for (const table of ['jobs', 'chunks', 'device_jobs', 'workers']) await rows(db, sql.raw(`delete from ${table}`))
  await rows(db, sql`alter table jobs alter column job_key restart with 8`)
  await rows(db, sql`delete from devices where device_id <> all(${texts(knownIds)})`)
  await givenDevices(db, knownIds, { isReachable: false })
  await rows(db, sql`update sessions set gateway_id = null, accepts_methods = false`)
}
