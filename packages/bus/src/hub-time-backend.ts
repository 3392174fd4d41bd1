import { setTimeout as sleep } from 'node:timers/promises'
import { type BackendFactory, createRedisBackend, type JobJson, type RedisQueueBackend } from 'bullmq'
import { ReplyError } from 'ioredis'

/** The time of the hub, the same in every process. */
export interface BusClock {
  now(): Date
}

/** Redis can be reached and does not do its work: its memory is full, or it has become a replica. BullMQ would ask again at once. */
const pauseMs = 1_000

/** Where a script takes the time of its caller: the place among its keys and arguments. */
const timePlaces: Readonly<Record<string, number>> = { moveToActive: 12, moveToDelayed: 12, moveToFinished: 15 }

/**
 * BullMQ writes the time of its process into Redis, and compares what others wrote with it. With a wrong clock, or one that jumps, a
 * wake-up would wait for as long as the clock is wrong, and nobody could add another under its id. So Redis gets times of the hub, and
 * BullMQ gets them back as times of its process. A consumer whose Redis fails pauses before it asks again.
 */
export function hubTimeBackend(clock: BusClock): BackendFactory<RedisQueueBackend> {
  const aheadMs = () => clock.now().getTime() - Date.now()

  return (name, options, connections) => {
    const backend = createRedisBackend(name, options, connections)
    const { execCommand, moveToActive, moveToFinished, waitForJob } = backend

    backend.execCommand = (client, command, args) => {
      const place = timePlaces[command]
      const inHubTime = place === undefined ? args : args.with(place, clock.now().getTime())
      return execCommand.call(backend, client, command, inHubTime)
    }
    backend.moveToActive = async (...args) =>
      inProcessTime(await paused(moveToActive.call(backend, ...args)), aheadMs())
    backend.moveToFinished = async (...args) => inProcessTime(await moveToFinished.call(backend, ...args), aheadMs())
    backend.waitForJob = async (...args) => {
      const marker = await paused(waitForJob.call(backend, ...args))
      return marker === null ? null : { ...marker, score: timeOrNone(marker.score, aheadMs()) }
    }
    return backend
  }
}

async function paused<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    // A connection that is lost or closed is BullMQ's own affair.
    if (error instanceof ReplyError) await sleep(pauseMs, undefined, { ref: false })
    throw error
  }
}

/** What BullMQ gets with its next job: the job and when it was taken, its id, a limit of the rate, and the time of the next delayed job. */
function inProcessTime([job, id, rateLimitMs, delayedUntil]: unknown[], aheadMs: number): unknown[] {
  return [isJob(job) ? taken(job, aheadMs) : job, id, rateLimitMs, timeOrNone(Number(delayedUntil ?? 0), aheadMs)]
}

function isJob(value: unknown): value is JobJson {
  return typeof value === 'object' && value !== null && 'processedOn' in value
}

function taken(job: JobJson, aheadMs: number): JobJson {
  return { ...job, processedOn: timeOrNone(Number(job.processedOn ?? 0), aheadMs) }
}

/** 0 stands for no time. */
function timeOrNone(hubMs: number, aheadMs: number): number {
  return hubMs > 0 ? hubMs - aheadMs : 0
}
