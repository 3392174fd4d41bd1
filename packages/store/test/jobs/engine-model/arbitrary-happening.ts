import { jobTypes } from '@muster/contract'
import fc from 'fast-check'
import { claimDue, drop, lookAgain, outcomeKinds, record, renew, takeChunk } from './attempts.ts'
import { atOnce, crashed, type Happening, inTurn, late, once, twice } from './happenings.ts'
import { cancel, complete, create, fail, schedule, startDue } from './jobs.ts'
import { apt, inapt, knownIds, type Step, unknownIds } from './step.ts'
import {
  advance,
  advanceToDeadline,
  announce,
  connect,
  disconnect,
  expire,
  findReachable,
  register,
  releaseChunks,
  releaseDeviceJobs,
  remove,
} from './sweeps.ts'

const choice = fc.tuple(fc.constantFrom(apt, apt, inapt), fc.nat({ max: 3 })).map(([such, no]) => such(no))
const someKnown = fc.subarray(knownIds, { minLength: 1 })

export const jobRequest = fc.record({
  type: fc.constantFrom(...jobTypes, 'scheduleDeviceMethod'),
  deviceIds: fc.subarray([...knownIds, ...unknownIds], { minLength: 4 }),
  isListed: fc.boolean(),
  chunkSize: fc.integer({ min: 1, max: 4 }),
  startsInSeconds: fc.constantFrom(null, null, null, -30, 20),
  windowSeconds: fc.constantFrom(20, 60, 400, 3600, 3600),
})

const fails = fc.array(fc.boolean(), { maxLength: 4 })
// Few ends, so that there is much to be tried again.
const outcome = fc.constantFrom(...outcomeKinds, 'due now', 'waiting', 'none')
export const outcomes = fc.array(outcome, { minLength: 1, maxLength: 4 })

const tries = fc.oneof(
  { weight: 1, arbitrary: jobRequest.map(create) },
  { weight: 3, arbitrary: choice.map(startDue) },
  { weight: 12, arbitrary: fc.tuple(choice, fails).map(([job, whichFail]) => takeChunk(job, whichFail)) },
  { weight: 20, arbitrary: fc.tuple(choice, outcomes).map(([claim, kinds]) => record(claim, kinds)) },
  { weight: 4, arbitrary: choice.map(lookAgain) },
  {
    weight: 10,
    arbitrary: fc.tuple(choice, fc.integer({ min: 1, max: 4 })).map(([job, limit]) => claimDue(job, limit)),
  },
  { weight: 3, arbitrary: someKnown.map(connect) },
  { weight: 2, arbitrary: someKnown.map(announce) },
  { weight: 1, arbitrary: someKnown.map(disconnect) },
  { weight: 1, arbitrary: someKnown.map(remove) },
  { weight: 2, arbitrary: fc.subarray([...knownIds, ...unknownIds], { minLength: 1 }).map(register) },
  { weight: 1, arbitrary: choice.map(schedule) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(cancel, cancel, fail), choice).map(([end, job]) => end(job)) },
  { weight: 2, arbitrary: choice.map(complete) },
  { weight: 2, arbitrary: fc.constant(expire) },
)

/** They pass over what another step has locked at the moment: at once with one, what they do cannot be foretold. */
const passing = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(releaseChunks, releaseChunks, releaseDeviceJobs, findReachable) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(renew, drop), choice).map(([change, claim]) => change(claim)) },
)
const anyStep: fc.Arbitrary<Step> = fc.oneof({ weight: 5, arbitrary: tries }, { weight: 1, arbitrary: passing })

export const anyHappening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 12, arbitrary: anyStep.map(once) },
  { weight: 3, arbitrary: fc.constantFrom(...[1, 6, 6, 21, 21, 61].map(advance), advanceToDeadline).map(once) },
  { weight: 1, arbitrary: choice.map((claim) => inTurn(drop(claim), releaseChunks, releaseDeviceJobs)) },
  { weight: 1, arbitrary: fc.constant(inTurn(advanceToDeadline, expire)) },
  { weight: 1, arbitrary: anyStep.map(twice) },
  { weight: 1, arbitrary: anyStep.map(crashed) },
  { weight: 2, arbitrary: fc.tuple(anyStep, fc.integer({ min: 1, max: 5 })).map(([step, s]) => late(step, s)) },
  { weight: 2, arbitrary: tries.map((step) => atOnce(step, step)) },
  { weight: 3, arbitrary: fc.tuple(tries, tries).map(([left, right]) => atOnce(left, right)) },
)
