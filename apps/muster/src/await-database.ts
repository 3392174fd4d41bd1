import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '@muster/runtime'
import { SchemaTooNewError } from '@muster/store'

const betweenTriesMs = 1000

/**
 * Does the work as soon as the database lets it. For so many seconds it tries again when Postgres does not answer, or when nobody has
 * migrated it yet, and tells the reason on standard error once. The last try may take the ten seconds of a connection longer.
 * @throws StartError of the last try
 */
export async function awaitDatabase<Result>(work: () => Promise<Result>, waitSeconds: number): Promise<Result> {
  const deadline = AbortSignal.timeout(waitSeconds * 1000)
  let told = ''
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (deadline.aborted || waitSeconds === 0 || !mayPass(error)) throw error
      if (error.message !== told) process.stderr.write(`muster: waiting: ${error.message}\n`)
      told = error.message
      await delay(betweenTriesMs)
    }
  }
}

/** The causes are errors of the store. A StartError without one is a wrong setting, and a newer schema stays newer. */
function mayPass(error: unknown): error is StartError {
  return error instanceof StartError && error.cause !== undefined && !(error.cause instanceof SchemaTooNewError)
}
