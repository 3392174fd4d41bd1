import { setTimeout as sleep } from 'node:timers/promises'
import type { EventIds, JobEvent } from '@muster/contract'
import type { Clock, Events } from '@muster/runtime'
import type { Db } from '@muster/store'
import { type Audience, createAudience } from './audience.ts'
import { createCatchUp } from './catch-up.ts'
import { createEventFollower, type EventFollower } from './event-follower.ts'
import { type ListenRequest, lacks, note } from './listener.ts'
import { eventMessage, openedMessage } from './messages.ts'
import { createStatisticsFollower, type StatisticsFollower } from './statistics.ts'

/** The events of the jobs of the hub, for all who listen in this process. */
export interface JobFeed {
  /** The body of an answer. @throws HubError ServiceUnavailable when too many listen, or the process stops */
  listen(request: ListenRequest): ReadableStream<Uint8Array>
  /** Ends all answers, and takes no more listeners. They connect to another process. */
  close(): void
}

export interface FeedDeps {
  readonly db: Db
  readonly clock: Clock
  readonly events: Events
  readonly eventIds: EventIds
}

/** A job has at most two statistics a second. */
const pollMs = 500
/** A slow database is asked less often, so that a process uses a tenth of a connection; but every 5 s at least. */
const pollShare = 1 / 10
const pollMsMax = 5_000

/**
 * A policy that is shut out still listens until then. Who connects again lacks nothing, and may come to a process that has started
 * meanwhile.
 */
const streamMs = 3_600_000

/** Reads two statements in half a second while somebody listens, however many do, and none while nobody does. */
export function createJobFeed(deps: FeedDeps): JobFeed {
  const audience = createAudience(deps.events)
  const catchUp = createCatchUp(deps, audience)
  const closing = new AbortController()
  /** Null: nobody listens. */
  let round: Round | null = null

  const follow = async (current: Round) => {
    while (audience.all().length > 0) {
      const startedMs = performance.now()
      await runRound(current).catch((error: unknown) => deps.events.jobFeedFailed({ error }))
      const pauseMs = Math.min(Math.max((performance.now() - startedMs) / pollShare, pollMs), pollMsMax)
      await sleep(pauseMs, undefined, { ref: false, signal: closing.signal }).catch(() => {})
    }
    round = null
  }

  return {
    listen(request) {
      const latestMs = deps.clock.now().getTime() + streamMs
      // An event that is there may not have been told, because one before it may still come: both are then behind `after`.
      const after = request.isNew ? Math.min(request.after, round?.follower.told() ?? request.after) : request.after
      const listener = audience.enter({ ...request, after, expiresAtMs: Math.min(request.expiresAtMs, latestMs) })
      if (request.isNew) audience.send(listener, openedMessage(deps.eventIds.of(after)))
      if (round === null) {
        round = {
          ...deps,
          audience,
          catchUp,
          follower: createEventFollower(deps.db),
          statistics: createStatisticsFollower(),
        }
        void follow(round)
      } else catchUp.begin(listener, round.follower)
      return listener.stream.body
    },
    close() {
      audience.close()
      closing.abort()
    },
  }
}

/** What one reading needs. */
interface Round extends FeedDeps {
  readonly audience: Audience
  readonly catchUp: ReturnType<typeof createCatchUp>
  readonly follower: EventFollower
  readonly statistics: StatisticsFollower
}

/** The events before the statistics: who has the last event of a job gets its last statistics behind it. */
async function runRound(round: Round): Promise<void> {
  const { db, clock, audience, catchUp, follower, statistics } = round
  const nowMs = clock.now().getTime()
  for (const listener of audience.all()) if (listener.expiresAtMs <= nowMs) audience.end(listener, 'expired')

  const told = await follower.read()
  tell(round, told)
  for (const listener of audience.all()) catchUp.begin(listener, follower)

  statistics.note(told)
  const live = audience.all().filter(({ isLive }) => isLive)
  const done = await statistics.follow(db, live, audience.send)
  for (const listener of done) audience.end(listener, 'ended')
}

function tell({ audience, events, eventIds }: Round, told: readonly JobEvent[]): void {
  for (const event of told) {
    const lacking = audience.all().filter((listener) => listener.isLive && lacks(listener, event))
    if (lacking.length === 0) continue
    const message = eventMessage(event, eventIds)
    for (const listener of lacking) {
      audience.send(listener, message)
      note(listener, event)
    }
    events.jobEventsTold({ count: lacking.length })
  }
}
