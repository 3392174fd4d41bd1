import { cutWaiting, withObserver } from './cut.ts'
import type { Driver, Run } from './drivers.ts'
import { endOf } from './end-of.ts'
import { load } from './load.ts'
import { type Given, hung, survived, type Verdict, verdictOf } from './verdict.ts'

interface Fault {
  readonly title: string
  /** The ends of the process that show the fault. */
  readonly shownByEnd?: readonly NodeJS.UncaughtExceptionOrigin[]
  attempt(given: Given): Promise<Verdict>
}

export const faults = {
  'late-write': {
    title: 'a write after the socket is gone ends the process, or its statement hangs',
    shownByEnd: ['uncaughtException'],
    attempt: writeAfterClose,
  },
  'array-types': {
    title: 'a connection lost while it reads the array types ends the process',
    shownByEnd: ['unhandledRejection'],
    attempt: loseWhileReadingTypes,
  },
  'stray-statement': {
    title: 'the next statement of a lost transaction commits outside of any transaction',
    attempt: continueLostTransaction,
  },
  'queued-statement': {
    title: 'a statement queued in a lost transaction hangs',
    attempt: queueInLostTransaction,
  },
  'dead-reserved': {
    title: 'a pool hangs after a reserved connection was lost and given back',
    attempt: giveBackLost,
  },
  'endless-end': {
    title: 'end() hangs after a connection was lost',
    attempt: endAfterLoss,
  },
  load: {
    title: 'a busy pool that loses its connections again and again does not survive it whole',
    shownByEnd: ['uncaughtException', 'unhandledRejection'],
    attempt: load,
  },
} as const satisfies Record<string, Fault>
export type FaultName = keyof typeof faults

async function writeAfterClose({ url, open }: Given): Promise<Verdict> {
  const driver = open(1)
  return inTransaction(driver, async (run) => {
    await run('select 1')
    await withObserver(url, (observer) => cutWaiting(observer, 'ClientRead'))
    await endOf(driver.closed)
    return hung('the process goes on; the late statement', await endOf(run('select 2')))
  })
}

/** A lock on pg_type stops every new connection at the first statement that looks up a type. */
async function loseWhileReadingTypes({ url, open }: Given): Promise<Verdict> {
  const driver = open(1)
  const end = await withObserver(url, async (observer) => {
    await observer.query('begin; lock table pg_catalog.pg_type in access exclusive mode')
    const statement = endOf(driver.run('select 1'))
    await cutWaiting(observer, 'relation')
    await observer.query('rollback')
    return statement
  })
  return survived(end)
}

/** Somebody else waits for the only connection: a driver that replaces it at once serves them first. */
async function continueLostTransaction({ url, open }: Given): Promise<Verdict> {
  const driver = open(1)
  await driver.run('drop table if exists halves')
  await driver.run('create table halves (half text)')
  const { how } = await inTransaction(driver, async (run) => {
    await run(`insert into halves values ('first')`)
    const other = endOf(driver.run('select 1'))
    await withObserver(url, (observer) => cutWaiting(observer, 'ClientRead'))
    await other
    return endOf(run(`insert into halves values ('second')`))
  })
  const { rows } = await withObserver(url, (observer) => observer.query<{ half: string }>('select half from halves'))
  const halves = rows.map(({ half }) => half).join(', ')
  return verdictOf(halves === 'second', `the second half ${how}; committed: ${halves || 'neither half'}`)
}

async function queueInLostTransaction({ url, open }: Given): Promise<Verdict> {
  return inTransaction(open(1), async (run) => {
    const ends = Promise.all([endOf(run('select pg_sleep($1)', [3600])), endOf(run('select 1'))])
    await withObserver(url, (observer) => cutWaiting(observer, 'PgSleep'))
    const [, queued] = await ends
    return hung('the queued statement', queued)
  })
}

async function giveBackLost({ url, open }: Given): Promise<Verdict> {
  const driver = open(1)
  const reserved = await driver.reserve()
  const statement = endOf(reserved.run('select pg_sleep(3600)'))
  await withObserver(url, (observer) => cutWaiting(observer, 'PgSleep'))
  await statement
  await endOf(driver.closed)
  reserved.release()
  // Long enough to be written at once: a short statement would show the late write instead.
  const long = `select 1 /* ${'long '.repeat(400)} */`
  await endOf(driver.run(long))
  return hung('the second statement of the pool', await endOf(driver.run(long)))
}

async function endAfterLoss({ url, open }: Given): Promise<Verdict> {
  const driver = open(1)
  const statement = endOf(driver.run('select pg_sleep(3600)'))
  await withObserver(url, (observer) => cutWaiting(observer, 'PgSleep'))
  await statement
  await endOf(driver.closed)
  return hung('end()', await endOf(driver.end()))
}

/** What the work comes to. The driver may end the transaction before its work is over, and only the work can say how it went. */
function inTransaction<T>(driver: Driver, work: (run: Run) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const transaction = driver.transact((run) => work(run).then(resolve, reject))
    transaction.catch(() => {})
  })
}
