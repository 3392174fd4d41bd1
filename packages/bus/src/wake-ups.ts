import { randomInt } from 'node:crypto'
import { type JobKey, type JobType, jobKey, toError, type WebhookKey, webhookKey } from '@muster/contract'
import { DelayedError, ErrorCode, type Job, Queue, Worker } from 'bullmq'
import type { Connections } from './connection.ts'
import { type BusFigures, readFigures } from './figures.ts'
import { type BusClock, hubTimeBackend } from './hub-time-backend.ts'
import { type BoardServer, showQueues } from './queue-board.ts'

/**
 * A hint that a job has work. It holds no state: a lost hint costs latency, and a second delivery costs one empty claim. One for chunks
 * names the type of the job, so that a worker without room for its calls need not read the job. Only calls become due.
 */
export type WorkWakeUp =
  | {
      readonly kind: 'chunks'
      readonly key: JobKey
      readonly type: JobType
      /** Which of the turns of the job it is, from 0. One that the job's priority does not give any more ends. */
      readonly turn: number
    }
  | { readonly kind: 'due'; readonly key: JobKey }

export interface WakeUps {
  /** The dispatcher looks at the job at this time of the hub. False: Redis could not be reached; a sweep finds the job. */
  wakeAt(key: JobKey, at: Date): Promise<boolean>
  /** Workers look for ready chunks of the job, in as many turns as its priority gives it. */
  wakeChunks(key: JobKey, job: { readonly type: JobType; readonly priority: number }): Promise<boolean>
  /** Workers look for due device jobs of the job. */
  wakeDue(key: JobKey): Promise<boolean>
  /** What sleeps of a job's wake-ups for workers comes now: what they wait for has changed. False: Redis could not be reached. */
  hurryWork(key: JobKey): Promise<boolean>
  /** A dispatcher sends the events of the webhook that are due at this time of the hub. False: Redis could not be reached. */
  wakeWebhook(key: WebhookKey, at: Date): Promise<boolean>
  consumeWebhooks(handle: (key: WebhookKey) => Promise<void>): Consumer
  consumeJobs(handle: (key: JobKey) => Promise<void>): Consumer
  /** `more` puts the wake-up to the end of the queue, behind those of other jobs. A pause does so when it is over. */
  consumeWork(handle: (wakeUp: WorkWakeUp) => Promise<Next>, options: { concurrency: number }): Consumer
  /** How full the queues and Redis are. Rejects when Redis does not answer. */
  figures(): Promise<BusFigures>
  /** Shows the wake-ups on a board, which can change nothing. */
  showQueues(server: BoardServer): Promise<void>
  close(): Promise<void>
}

export interface Consumer {
  /** Takes no new wake-up, waits for the handlers under way until the signal aborts. */
  stop(deadline: AbortSignal): Promise<void>
  /** Throws when the consumer does not listen any more: a consumer can look healthy and take nothing. */
  check(): void
}

export type Next = 'more' | 'done' | Pause

/** There is work that cannot be done now. The wake-up comes again after `laterMs`, and holds nothing meanwhile. */
export interface Pause {
  readonly laterMs: number
}

/**
 * Wake-ups for chunks of one job: its turns in one round of all jobs, so its share of the workers. 8 at the priority 500, 2 at 0, 32 at
 * 1000: the highest priority has 16 times the share of the lowest, and no job is without one.
 */
export function turnsOf(priority: number): number {
  return Math.round(8 * 4 ** ((priority - 500) / 500))
}

const turnsMax = turnsOf(1_000)

/** Wake-ups for due device jobs of one job. */
const dueSlots = 8

const jobOptions = { removeOnComplete: true, removeOnFail: true } as const

export function createWakeUps(
  { commands, patient }: Connections,
  { prefix, onError, clock }: { prefix: string; onError: (error: Error) => void; clock: BusClock },
): WakeUps {
  const backend = hubTimeBackend(clock)
  const queueOptions = { connection: commands, prefix, streams: { events: { maxLen: 100 } }, skipVersionCheck: true }
  const jobs = new Queue('jobs', queueOptions, backend)
  const work = new Queue('work', queueOptions, backend)
  const webhooks = new Queue('webhooks', queueOptions, backend)
  const queues = { jobs, work, webhooks }
  for (const queue of Object.values(queues)) queue.on('error', onError)

  const attempt = async (add: () => Promise<unknown>): Promise<boolean> => {
    try {
      await add()
      return true
    } catch (error) {
      onError(toError(error))
      return false
    }
  }

  // The wake-up ids of a job are fixed per turn. To add one that already waits changes nothing, so sweeps cannot pile them up. An id
  // may not be all digits and may not contain a colon.
  const chunkWakeUps: (...asked: Parameters<WakeUps['wakeChunks']>) => Parameters<typeof work.addBulk>[0] = (
    key,
    { type, priority },
  ) =>
    Array.from({ length: turnsOf(priority) }, (_, turn) => ({
      name: 'chunks',
      data: { key, type, turn },
      opts: { ...jobOptions, jobId: chunksId(key, turn) },
    }))

  return {
    wakeAt: (key, at) =>
      attempt(() => {
        const timestamp = clock.now().getTime()
        const delay = Math.max(0, at.getTime() - timestamp)
        return jobs.add('job', { key }, { ...jobOptions, timestamp, delay, jobId: `job-${key}-${at.getTime()}` })
      }),
    wakeChunks: (key, job) => attempt(() => work.addBulk(chunkWakeUps(key, job))),
    // A device that becomes due while a wake-up is handled may need another. This adds one of several. If that one is being handled
    // too, the next sweep adds one.
    wakeDue: (key) =>
      attempt(() => work.add('due', { key }, { ...jobOptions, jobId: dueId(key, randomInt(dueSlots)) })),
    hurryWork: (key) =>
      attempt(() => {
        const chunks = Array.from({ length: turnsMax }, (_, turn) => chunksId(key, turn))
        const due = Array.from({ length: dueSlots }, (_, slot) => dueId(key, slot))
        const ids = [...chunks, ...due]
        return Promise.all(ids.map((id) => work.backend.promote(id).catch(leaveIfAwake)))
      }),
    wakeWebhook: (key, at) =>
      attempt(() => {
        const timestamp = clock.now().getTime()
        // In whole seconds, so that at most 3,600 wait for the tries of a webhook in the next hour, however many events it gets.
        const second = Math.ceil(Math.max(at.getTime(), timestamp) / 1_000)
        const delay = at.getTime() <= timestamp ? 0 : second * 1_000 - timestamp
        const jobId = `webhook-${key}-${delay === 0 ? 'now' : second}`
        return webhooks.add('webhook', { key }, { ...jobOptions, timestamp, delay, jobId })
      }),
    consumeWebhooks: (handle) =>
      consume('webhooks', { patient, prefix, onError, backend, concurrency: 2 }, async (job) => {
        await handle(webhookKey(job.data.key))
      }),
    consumeJobs: (handle) =>
      consume('jobs', { patient, prefix, onError, backend, concurrency: 2 }, async (job) => {
        await handle(jobKey(job.data.key))
      }),
    consumeWork: (handle, { concurrency }) =>
      consume('work', { patient, prefix, onError, backend, concurrency }, async (job, token) => {
        const key = jobKey(job.data.key)
        const { type, turn = 0 } = job.data
        const next = await handle(job.name === 'due' ? { kind: 'due', key } : { kind: 'chunks', key, type, turn })
        if (next === 'done') return
        // To the end of the queue. A job that is put back into `wait` would be taken before all others. BullMQ makes a delay of it.
        await job.moveToDelayed(Date.now() + (next === 'more' ? 0 : next.laterMs), token)
        throw new DelayedError()
      }),
    figures: () => readFigures(commands, queues),
    showQueues: (server) => showQueues(Object.values(queues), server),
    close: async () => {
      await Promise.allSettled(Object.values(queues).map((queue) => queue.close()))
    },
  }
}

/** One that waits already, is being handled, or is not there. */
function leaveIfAwake(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === ErrorCode.JobNotInState)) throw error
}

function chunksId(key: JobKey, slot: number): string {
  return `chunks-${key}-${slot}`
}

function dueId(key: JobKey, slot: number): string {
  return `due-${key}-${slot}`
}

function consume(
  queue: string,
  options: {
    patient: Connections['patient']
    prefix: string
    onError: (error: Error) => void
    backend: ReturnType<typeof hubTimeBackend>
    concurrency: number
  },
  handle: (job: Job, token: string | undefined) => Promise<void>,
): Consumer {
  const settings = {
    connection: options.patient,
    prefix: options.prefix,
    concurrency: options.concurrency,
    // BullMQ takes an unchecked version of Redis for the oldest one, which waits in whole seconds: each delay would be rounded up.
    skipVersionCheck: false,
    // A wake-up may stall twice: the fence in Postgres makes a second run harmless. Handlers take milliseconds. Until the wake-ups of
    // a dead worker are released, nobody can add wake-ups for its jobs under the same ids.
    maxStalledCount: 1_000,
    lockDuration: 5_000,
    stalledInterval: 2_500,
    drainDelay: 1,
  }
  const worker = new Worker(queue, handle, settings, options.backend)
  worker.on('error', options.onError)
  worker.on('failed', (_, error) => options.onError(error))
  return {
    async stop(deadline) {
      // close() has no deadline, and a forced close() after it waits for the first one.
      const aborted = new Promise<void>((resolve) => {
        if (deadline.aborted) resolve()
        deadline.addEventListener('abort', () => resolve(), { once: true })
      })
      const closed = worker.close().catch(options.onError)
      await Promise.race([closed, aborted])
    },
    check() {
      if (!worker.isRunning()) throw new Error(`the consumer of ${queue} has stopped`)
    },
  }
}
