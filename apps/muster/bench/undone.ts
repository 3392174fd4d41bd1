import type { Db } from '@muster/store'

class Undone extends Error {}

/** Does the work in a transaction that leaves nothing, so that it can be done again. */
export async function undone(db: Db, work: (tx: Db) => Promise<unknown>): Promise<void> {
  const done = db.transaction(async (tx) => {
    await work(tx)
    throw new Undone()
  })
  await done.catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error
  })
}
