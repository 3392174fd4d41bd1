import type { HeardConnection } from '@muster/store'

/** When connections were last active, for Postgres. */
export interface Activity<Connection> {
  /** Call it when the connection has sent or received something. */
  note(connection: Connection): void
  /** Call it when the time has been written with the end of the connection. */
  forget(connection: Connection): void
  /** Writes all that is not yet written, and then nothing more. */
  stop(): Promise<void>
}

/** How far the time in Postgres may be behind while a connection lasts. A device that sends every second is written once a minute. */
const restMs = 60_000
const lookEveryMs = 1_000

/**
 * Writes the latest time of a connection a minute after the first one that is not yet written. So a busy connection costs one row a
 * minute, and a fleet that connected over a minute is written over a minute. `nowMs` is a clock that never goes back.
 */
export function collectActivity<Connection extends HeardConnection>(
  write: (connections: readonly Connection[]) => Promise<void>,
  {
    setSize,
    nowMs = () => performance.now(),
    onWritten,
    onError,
  }: {
    setSize: number
    nowMs?: () => number
    onWritten: (count: number) => void
    onError: (error: unknown) => void
  },
): Activity<Connection> {
  /** Since when they are not written: the oldest first. */
  const unwritten = new Map<Connection, number>()
  let writing: Promise<void> | null = null

  const takeOlderThan = (sinceMs: number): Connection[] => {
    const taken: Connection[] = []
    for (const [connection, notedMs] of unwritten) {
      if (notedMs > sinceMs || taken.length >= setSize) break
      unwritten.delete(connection)
      taken.push(connection)
    }
    return taken
  }
  const writeOlderThan = async (sinceMs: number) => {
    for (let set = takeOlderThan(sinceMs); set.length > 0; set = takeOlderThan(sinceMs)) {
      try {
        await write(set)
        onWritten(set.length)
      } catch (error) {
        onError(error)
        // Its connections are written a minute later, or at their end.
        for (const connection of set) if (!unwritten.has(connection)) unwritten.set(connection, nowMs())
        return
      }
    }
  }
  const timer = setInterval(() => {
    writing ??= writeOlderThan(nowMs() - restMs).finally(() => {
      writing = null
    })
  }, lookEveryMs)
  timer.unref()

  return {
    note(connection) {
      if (!unwritten.has(connection)) unwritten.set(connection, nowMs())
    },
    forget: (connection) => void unwritten.delete(connection),
    async stop() {
      clearInterval(timer)
      await writing
      await writeOlderThan(Number.POSITIVE_INFINITY)
    },
  }
}
