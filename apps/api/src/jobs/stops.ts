import { setTimeout as sleep } from 'node:timers/promises'
import {
  clip,
  formatInstant,
  HubError,
  type JobType,
  type JsonObject,
  knownJobTypes,
  parseExactly,
  parseJobType,
  stopBodySchema,
  type Vocabulary,
} from '@muster/contract'
import { readStop, resumeStop, type Stop, stopJobs } from '@muster/store'
import { described } from '../http/described.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { stopSchema } from '../http/schemas.ts'
import { askerOf } from './create-job.ts'
import { wakeJob } from './wake-job.ts'

/** So soon after a stop every claim that was under way has committed: it is one statement. */
const settleMs = 500
/** How often, and for how long, the answer to a stop waits until no call is undecided. */
const patience = { everyMs: 250, mostMs: 4_000 }
/** So many running jobs are woken at once after a resumption. The sweeps find the others within seconds. */
const wokenMost = 200

const common = { permission: 'ServiceConnect', throttle: 'jobOperations', reply: stopSchema } as const

export function stopRoutes({ db, bus, clock, events }: Deps): readonly Endpoint[] {
  return [
    {
      ...common,
      method: 'post',
      path: '/jobs/v2/stop',
      operationId: 'stopJobs',
      summary: 'Pause all jobs that have not ended, or those of a type or of a prefix of their ids',
      example: { body: { reason: 'devices reboot in a loop', jobIdPrefix: 'firmware-' } },
      body: described(stopBodySchema),
      async handle(c) {
        const { reason = null, type, jobIdPrefix = null } = parseExactly(stopBodySchema, readDocument(c).body ?? {})
        const request = { asker: askerOf(c), reason, type: readType(type), jobIdPrefix }
        const stopNo = await stopJobs(db, request, clock.now())
        return jsonReply(200, stopJson(await awaitCount(db, stopNo), c.get('vocabulary')))
      },
    },
    {
      ...common,
      method: 'get',
      path: '/jobs/v2/stops/{stopId}',
      operationId: 'getStop',
      summary: 'Read a stop, and how many calls were handed over to devices after it',
      example: { path: { stopId: '1' } },
      handle: async (c) => jsonReply(200, stopJson(await addressedStop(db, c, clock.now()), c.get('vocabulary'))),
    },
    {
      ...common,
      method: 'post',
      path: '/jobs/v2/stops/{stopId}/resume',
      operationId: 'resumeStop',
      summary: 'Resume the jobs that a stop has paused, but those that were resumed since',
      example: { path: { stopId: '1' } },
      async handle(c) {
        const { stopNo } = await addressedStop(db, c, clock.now())
        const resumed = (await resumeStop(db, stopNo, askerOf(c), clock.now())) ?? []
        const running = resumed.filter(({ status }) => status === 'running')
        for (const job of running.slice(0, wokenMost)) await wakeJob({ bus, events }, job)
        return jsonReply(200, stopJson(await addressedStop(db, c, clock.now()), c.get('vocabulary')))
      },
    },
  ]
}

/** Nobody waits for it longer than it is said: whoever asks later gets the rest. */
async function awaitCount(db: Deps['db'], stopNo: number): Promise<Stop> {
  await sleep(settleMs)
  const endMs = performance.now() + patience.mostMs - settleMs
  for (;;) {
    const stop = await readStop(db, stopNo, { isSettled: true })
    if (stop === null) throw noStop(String(stopNo))
    if (stop.undecidedCount === 0 || performance.now() >= endMs) return stop
    await sleep(patience.everyMs)
  }
}

/** @throws HubError GenericNotFound */
async function addressedStop(db: Deps['db'], c: ApiContext, now: Date): Promise<Stop> {
  const text = c.req.param('stopId') ?? ''
  if (!/^[1-9]\d{0,14}$/.test(text)) throw noStop(text)
  const stop = await readStop(db, Number(text), { isSettled: false })
  if (stop === null) throw noStop(text)
  const isSettled = now.getTime() >= stop.time.getTime() + settleMs
  return (isSettled ? await readStop(db, stop.stopNo, { isSettled }) : stop) ?? stop
}

function noStop(stopId: string): HubError {
  return new HubError('GenericNotFound', { message: `There is no stop with the id ${clip(stopId)}` })
}

function readType(text: string | undefined): JobType | null {
  if (text === undefined) return null
  const type = parseJobType(text)
  if (type !== null) return type
  throw new HubError('ArgumentInvalid', {
    message: `type must be one of ${knownJobTypes.join(', ')}, got "${clip(text)}"`,
  })
}

/** A member that is not known, or that nobody gave, is left out. */
function stopJson(stop: Stop, vocabulary: Vocabulary): JsonObject {
  const members = {
    actor: stop.actor,
    reason: stop.reason,
    type: stop.type === null ? null : vocabulary.type[stop.type],
    jobIdPrefix: stop.jobIdPrefix,
    pausedCount: stop.pausedCount,
    handedOverCount: stop.handedOverCount,
    undecidedCount: stop.undecidedCount,
    resumedTime: stop.resumedTime === null ? null : formatInstant(stop.resumedTime),
    resumedCount: stop.resumedCount,
  }
  const known = Object.entries(members).filter(([, value]) => value !== null)
  return { stopId: String(stop.stopNo), time: formatInstant(stop.time), ...Object.fromEntries(known) }
}
