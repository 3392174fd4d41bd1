import { type DeviceJobStatus, jobTypes } from '@muster/contract'
import fc from 'fast-check'
import { deviceActions } from '../../../src/jobs/selected/change-devices.ts'
import { claimDue, lookAgain, outcomeKinds, record, recordTogether, takeChunk } from './attempts.ts'
import { by, byTrusted, errorMsMax, jump, measure, processCount } from './clocks.ts'
import { changeSome, rerun } from './devices.ts'
import { asPossible, atOnce, crashed, type Happening, inTurn, late, once, twice } from './happenings.ts'
import { cancel, complete, create, fail, schedule, startDue } from './jobs.ts'
import { workerCount } from './model.ts'
import { cancelLongPauses, divide, hold, openNextStage, pause, release, resume } from './rollout.ts'
import { askForNext, lookAtGate } from './stages.ts'
import { apt, inapt, knownIds, type Step, unknownIds } from './step.ts'
import {
  advance,
  advanceToDeadline,
  announce,
  connect,
  disconnect,
  expire,
  findReachable,
  keep,
  register,
  releaseChunks,
  releaseDeviceJobs,
  remove,
} from './sweeps.ts'
import { leave, renew, takeAnother } from './workers.ts'

const processNo = fc.nat({ max: processCount - 1 })
const aheadMs = fc.constantFrom(-errorMsMax, 0, errorMsMax)
const clock = fc.record({ aheadMs, isTrusted: fc.constant(true) })
export const clocks = fc.array(clock, { minLength: processCount, maxLength: processCount })

const choice = fc.tuple(fc.constantFrom(apt, apt, inapt), fc.nat({ max: 3 })).map(([such, no]) => such(no))
const someKnown = fc.subarray(knownIds, { minLength: 1 })

const newStage = fc.record({
  size: fc.integer({ min: 1, max: 3 }),
  successThreshold: fc.constantFrom(null, 50, 100),
  soakSeconds: fc.constantFrom(0, 0, 20),
  isManual: fc.nat({ max: 4 }).map((no) => no === 0),
  failureCount: fc.constantFrom(null, null, 1, 2),
  action: fc.constantFrom('pause', 'pause', 'cancel'),
})

export const jobRequest = fc.record({
  stages: fc.option(fc.array(newStage, { minLength: 1, maxLength: 4 }), { freq: 2 }),
  type: fc.constantFrom(...jobTypes, 'scheduleDeviceMethod'),
  deviceIds: fc.subarray([...knownIds, ...unknownIds], { minLength: 4 }),
  isListed: fc.boolean(),
  chunkSize: fc.integer({ min: 1, max: 4 }),
  startsInSeconds: fc.constantFrom(null, null, null, -30, 20),
  windowSeconds: fc.constantFrom(20, 60, 400, 3600, 3600),
})

const workerNo = fc.nat({ max: workerCount - 1 })
const claimer = fc.record({ workerNo, isUnanswered: fc.nat({ max: 5 }).map((no) => no === 0) })
const fails = fc.array(fc.boolean(), { maxLength: 4 })
// Few ends, so that there is much to be tried again.
const outcome = fc.constantFrom(...outcomeKinds, 'due now', 'waiting', 'none')
export const outcomes = fc.array(outcome, { minLength: 1, maxLength: 4 })

/** Done by some process, whether or not it trusts its time. */
const anyTime = (steps: fc.Arbitrary<Step>) => fc.tuple(processNo, steps).map(([no, step]) => by(no, step))
/** For less than most histories last. */
const pauseBriefly: typeof pause = (choice) => pause(choice, 20)
/** Only by a process that trusts its time. */
const rightTime = (steps: fc.Arbitrary<Step>) => fc.tuple(processNo, steps).map(([no, step]) => byTrusted(no, step))

const someIds = fc.option(fc.subarray([...knownIds, ...unknownIds], { minLength: 1, maxLength: 3 }), { freq: 5 })
const change = fc
  .tuple(choice, fc.constantFrom(...deviceActions), someIds)
  .map(([job, action, deviceIds]) => changeSome(job, action, deviceIds))
const endedStatuses: DeviceJobStatus[] = ['completed', 'failed', 'canceled', 'skipped']

const tries = fc.oneof(
  { weight: 1, arbitrary: anyTime(jobRequest.map(create)) },
  { weight: 3, arbitrary: rightTime(choice.map(startDue)) },
  {
    weight: 12,
    arbitrary: rightTime(
      fc.tuple(choice, fails, claimer).map(([job, whichFail, claims]) => takeChunk(job, whichFail, claims)),
    ),
  },
  { weight: 20, arbitrary: anyTime(fc.tuple(choice, outcomes).map(([claim, kinds]) => record(claim, kinds))) },
  { weight: 6, arbitrary: anyTime(fc.tuple(choice, outcomes).map(([claim, kinds]) => recordTogether(claim, kinds))) },
  { weight: 4, arbitrary: anyTime(choice.map(lookAgain)) },
  {
    weight: 10,
    arbitrary: rightTime(
      fc
        .tuple(choice, fc.integer({ min: 1, max: 4 }), claimer)
        .map(([job, limit, claims]) => claimDue(job, limit, claims)),
    ),
  },
  { weight: 3, arbitrary: someKnown.map(connect) },
  { weight: 2, arbitrary: anyTime(someKnown.map(announce)) },
  { weight: 1, arbitrary: someKnown.map(disconnect) },
  { weight: 1, arbitrary: anyTime(fc.constantFrom(...knownIds).map((id) => remove([id]))) },
  { weight: 2, arbitrary: fc.constantFrom(...knownIds, ...unknownIds).map((id) => register([id])) },
  { weight: 1, arbitrary: choice.map(schedule) },
  { weight: 1, arbitrary: anyTime(choice.map(cancel)) },
  { weight: 1, arbitrary: rightTime(choice.map(fail)) },
  { weight: 2, arbitrary: anyTime(choice.map(complete)) },
  { weight: 2, arbitrary: rightTime(fc.constant(expire)) },
  { weight: 2, arbitrary: fc.constant(keep) },
  { weight: 8, arbitrary: anyTime(change) },
  {
    weight: 2,
    arbitrary: anyTime(fc.tuple(choice, fc.subarray(endedStatuses)).map(([job, statuses]) => rerun(job, statuses))),
  },
  { weight: 2, arbitrary: anyTime(workerNo.map(renew)) },
  { weight: 3, arbitrary: anyTime(choice.map(askForNext)) },
  {
    weight: 8,
    arbitrary: anyTime(
      fc.tuple(fc.constantFrom(pause, pauseBriefly, resume, openNextStage), choice).map(([change, job]) => change(job)),
    ),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(hold, release), choice, fc.nat({ max: 3 }))
      .map(([change, job, chunkNo]) => change(job, chunkNo)),
  },
)

/** They pass over what another step has locked at the moment: at once with one, what they do cannot be foretold. */
const passing = rightTime(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom(releaseChunks, releaseChunks, releaseDeviceJobs, findReachable, cancelLongPauses),
    },
    { weight: 4, arbitrary: choice.map(lookAtGate) },
  ),
)
/** A removal and a registration of many at once come in another order for each device; to divide a job locks many chunks in no order. */
const many = fc.oneof(
  anyTime(someKnown.map(remove)),
  fc.subarray([...knownIds, ...unknownIds], { minLength: 1 }).map(register),
  choice.map(divide),
)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 15, arbitrary: tries },
  { weight: 3, arbitrary: passing },
  { weight: 2, arbitrary: many },
)

const clockStep = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(processNo, aheadMs).map(([no, ms]) => measure(no, ms)) },
  { weight: 1, arbitrary: fc.tuple(processNo, fc.constantFrom(0, 30, 3600)).map(([no, s]) => jump(no, s)) },
)

/** A chunk is taken, its devices end, and somebody looks at the gate, before the end of a soak and after it. */
const throughGate = fc
  .tuple(
    fc.nat({ max: 3 }),
    fc.array(fc.constantFrom('completed' as const, 'failed' as const), { minLength: 1, maxLength: 3 }),
  )
  .map(([no, kinds]) => {
    const fails = kinds.map((kind) => kind === 'failed')
    const worked: [Step, Step] = [
      takeChunk(apt(no), fails, { workerNo: 0, isUnanswered: false }),
      record(apt(0), kinds),
    ]
    return asPossible(...worked, ...worked, lookAtGate(apt(no)), advance(20), lookAtGate(apt(no)))
  })

export const anyHappening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 12, arbitrary: anyStep.map(once) },
  { weight: 3, arbitrary: fc.constantFrom(...[1, 5, 6, 20, 21, 61].map(advance), advanceToDeadline).map(once) },
  { weight: 3, arbitrary: clockStep.map(once) },
  { weight: 2, arbitrary: anyTime(workerNo.map(takeAnother)).map(once) },
  { weight: 1, arbitrary: workerNo.map((no) => crashed(takeAnother(no))) },
  { weight: 1, arbitrary: workerNo.map((no) => inTurn(leave(no), releaseChunks, releaseDeviceJobs, takeAnother(no))) },
  { weight: 1, arbitrary: fc.constant(inTurn(advanceToDeadline, expire)) },
  { weight: 5, arbitrary: throughGate },
  { weight: 1, arbitrary: anyStep.map(twice) },
  { weight: 1, arbitrary: anyStep.map(crashed) },
  { weight: 2, arbitrary: fc.tuple(anyStep, fc.integer({ min: 1, max: 5 })).map(([step, s]) => late(step, s)) },
  { weight: 2, arbitrary: tries.map((step) => atOnce(step, step)) },
  { weight: 3, arbitrary: fc.tuple(tries, tries).map(([left, right]) => atOnce(left, right)) },
)
