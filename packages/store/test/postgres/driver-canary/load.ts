import { cut, withObserver } from './cut.ts'
import type { Driver } from './drivers.ts'
import { endOf } from './end-of.ts'
import { type Given, type Verdict, verdictOf } from './verdict.ts'

const poolSize = 4
const callerCount = 4 * poolSize
const cutCount = 200
/** A driver that waits before it connects again has fewer to cut. */
const boundMs = 20_000

/** Statements and transactions of two halves each, while every connection is cut as often as there is one. */
export async function load({ url, open }: Given): Promise<Verdict> {
  const driver = open(poolSize)
  await driver.run('drop table if exists pairs')
  await driver.run('create table pairs (id text, half int)')
  let isOver = false
  let hanging = callerCount
  const callers = Array.from({ length: callerCount }, async (_, caller) => {
    for (let round = 0; !isOver; round++) await call(driver, caller, round).catch(() => {})
    hanging -= 1
  })

  const cuts = await withObserver(url, async (observer) => {
    const deadline = Date.now() + boundMs
    let cuts = 0
    while (cuts < cutCount && Date.now() < deadline) cuts += await cut(observer)
    return cuts
  })
  isOver = true
  await endOf(Promise.all(callers))
  const end = await endOf(driver.end())
  const halves = await withObserver(url, (observer) =>
    observer.query('select id from pairs group by id having count(*) <> 2'),
  )
  const halfCount = halves.rows.length

  return verdictOf(
    hanging > 0 || end.kind === 'never' || halfCount > 0,
    `${cuts} cuts; ${hanging} of ${callerCount} callers hang; end() ${end.how}; ${halfCount} transactions committed by half`,
  )
}

async function call(driver: Driver, caller: number, round: number): Promise<unknown> {
  if (caller % 2 === 0) return driver.run('select pg_sleep(random() / 100)')
  const id = `${caller}-${round}`
  return driver.transact(async (run) => {
    await run(`insert into pairs values ('${id}', 1)`)
    await run('select pg_sleep(random() / 100)')
    await run(`insert into pairs values ('${id}', 2)`)
  })
}
