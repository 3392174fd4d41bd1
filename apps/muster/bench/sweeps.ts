import assert from 'node:assert/strict'
import { type JobKey, parseJobId } from '@muster/contract'
import {
  connect,
  type Db,
  expireOverdueJobs,
  findDrainedJobs,
  findDueJobs,
  findForgottenWork,
  findUnscheduledJobs,
  insertJob,
  keepStatistics,
  markForgottenReachable,
  markReachable,
  releaseExpiredChunks,
  releaseExpiredDeviceJobs,
  startJob,
  type WaitingPlace,
} from '@muster/store'
import { print } from './figures.ts'
import { loadTwins, withStores } from './hub.ts'
import { undone } from './undone.ts'
import { loadHistory, loadWaiting, makeWeeks } from './waiting.ts'

const runningJobs = [0, 100, 1_000] as const
const passes = 40
/** What one pass may repair, as in the dispatcher. */
const bound = { limit: 500 }
/** A pass with 1,000 running jobs may take so many times as long as one with 100. */
const bar = 2

/**
 * What a pass takes beside 0, 100 and 1,000 running jobs, each of which waits for 50 devices. The last ten jobs over all devices are
 * history, of which `keepStatistics` keeps the sums. All sweeps of jobs but `purgeHistory`; beside them the connection of a device, and a
 * start for which no place is free. Two sweeps look at a part of what runs or waits: how many passes they take for all of it.
 */
export async function benchSweeps(deviceCount: number): Promise<void> {
  await withStores(async ({ config: { databaseUrl }, database }) => {
    if (databaseUrl === null) return
    await loadTwins(database, deviceCount, { deviceId: `'device-' || n`, columns: { version: '1' } })
    await makeWeeks(databaseUrl)
    const { db, close } = connect({ url: databaseUrl, poolSize: 1 })
    try {
      await loadHistory(database, deviceCount)
      await insertQueued(db)
      const figures = new Map<string, number[]>()
      const rounds = new Map<string, number[]>()
      for (const [index, count] of runningJobs.entries()) {
        await loadWaiting(database, deviceCount, count - (runningJobs[index - 1] ?? 0))
        for (const [name, pass] of Object.entries(await passesOf(db))) {
          figures.set(name, [...(figures.get(name) ?? []), await leastMs(pass)])
        }
        for (const [name, passCount] of Object.entries(await passesOfRounds(db))) {
          rounds.set(name, [...(rounds.get(name) ?? []), passCount])
        }
      }
      printFigures(figures)
      printRounds(rounds)
    } finally {
      await close()
    }
  })
}

async function passesOf(db: Db): Promise<Readonly<Record<string, () => Promise<unknown>>>> {
  const now = new Date()
  const [queued] = await findDueJobs(db, bound, now)
  assert(queued !== undefined, 'a job is queued')
  return {
    'startDueJobs: look': () => findDueJobs(db, bound, now),
    'startDueJobs: a start without a place': () => startWithoutPlace(db, queued, now),
    releaseExpiredChunks: () => releaseExpiredChunks(db, bound, now),
    releaseExpiredDeviceJobs: () => releaseExpiredDeviceJobs(db, bound, now),
    wakeForgottenWork: () => findForgottenWork(db, bound, now),
    expireOverdueJobs: () => expireOverdueJobs(db, bound, now),
    finishDrainedJobs: () => findDrainedJobs(db, { ...bound, after: null }, now),
    'keepStatistics: ten jobs': () => undone(db, (tx) => keepStatistics(tx, { limit: 50 })),
    scheduleQueuedJobs: () => findUnscheduledJobs(db, bound, now),
    markForgottenReachable: () => markForgottenReachable(db, { ...bound, after: null }, now),
    'a device connects': () => markReachable(db, ['device-9999'], now),
  }
}

/** The passes of the two sweeps that go round. */
async function passesOfRounds(db: Db): Promise<Readonly<Record<string, number>>> {
  const now = new Date()
  return {
    finishDrainedJobs: await passesOfRound<JobKey>((after) => findDrainedJobs(db, { ...bound, after }, now)),
    markForgottenReachable: await passesOfRound<WaitingPlace>((after) =>
      markForgottenReachable(db, { ...bound, after }, now),
    ),
  }
}

async function passesOfRound<Place>(
  pass: (after: Place | null) => Promise<{ readonly last: Place | null }>,
): Promise<number> {
  let passes = 0
  let after: Place | null = null
  do {
    const { last } = await pass(after)
    after = last
    passes += 1
  } while (after !== null)
  return passes
}

async function startWithoutPlace(db: Db, key: JobKey, now: Date): Promise<void> {
  const { kind } = await startJob(db, key, { maxRunningJobs: 0, chunkSize: () => 100 }, now)
  assert(kind === 'full', `the start was ${kind}`)
}

async function insertQueued(db: Db): Promise<void> {
  const request: Parameters<typeof insertJob>[1] = {
    jobId: parseJobId('queued'),
    type: 'scheduleDeviceMethod',
    target: { kind: 'devices', deviceIds: [] },
    queryCondition: '',
    body: {},
    startTime: null,
    maxExecutionTimeInSeconds: 3_600,
  }
  await insertJob(db, request, new Date())
}

/** The fastest pass: what else the machine does falls out of it. */
async function leastMs(pass: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let n = -3; n < passes; n++) {
    const startedAt = performance.now()
    await pass()
    if (n >= 0) times.push(performance.now() - startedAt)
  }
  return Math.min(...times)
}

function printFigures(figures: ReadonlyMap<string, readonly number[]>): void {
  printHead('a pass beside so many running jobs', `   1000 / 100, bar ${bar}`)
  for (const [name, times] of figures) {
    const ratio = (times[2] ?? Number.NaN) / (times[1] ?? Number.NaN)
    const cells = times.map((ms) => `${ms.toFixed(2)} ms`)
    printCells(name, cells, `   ${ratio.toFixed(1)}${ratio > bar ? ': over the bar' : ''}`)
  }
}

function printRounds(rounds: ReadonlyMap<string, readonly number[]>): void {
  printHead('passes of a whole round')
  for (const [name, counts] of rounds) printCells(name, counts.map(String))
}

function printHead(title: string, end = ''): void {
  print('')
  printCells(
    title,
    runningJobs.map((count) => `${count} jobs`),
    end,
  )
}

function printCells(name: string, cells: readonly string[], end = ''): void {
  print(`${name.padEnd(44)}${cells.map((cell) => cell.padStart(12)).join('')}${end}`)
}
