import { Redis } from 'ioredis'
import pTimeout from 'p-timeout'

/** How long a start waits for Redis before it gives up. */
const connectTimeoutMs = 10_000

/** Long enough for no question to meet its end, short enough to leave nothing behind. */
const probeMs = 60_000

export interface Connections {
  /** For commands that must answer or fail now. Nothing is queued while Redis is away, and nothing waits for a Redis that hangs. */
  readonly commands: Redis
  /** For subscriptions, and for blocking reads by its duplicates. It waits for Redis without a limit. */
  readonly patient: Redis
  close(): void
}

/** Opens the process' connections to Redis and waits until it answers. Later losses are repaired in the background. */
export async function openConnections(url: string, onError: (error: Error) => void): Promise<Connections> {
  const retryStrategy = (times: number) => Math.min(times * 100, 2000)
  const commands = new Redis(url, {
    commandTimeout: 2_000,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    // Nobody repeats a command unseen: it may have been carried out before the loss.
    autoResendUnfulfilledCommands: false,
    retryStrategy,
    lazyConnect: true,
  })
  const patient = new Redis(url, { maxRetriesPerRequest: null, retryStrategy, lazyConnect: true })
  for (const connection of [commands, patient]) connection.on('error', onError)
  const close = () => {
    commands.disconnect()
    patient.disconnect()
  }
  try {
    const connected = Promise.all([commands.connect(), patient.connect()])
    await pTimeout(connected, {
      milliseconds: connectTimeoutMs,
      message: `Redis did not answer within ${connectTimeoutMs} ms`,
    })
  } catch (error) {
    close()
    throw error
  }
  return { commands, patient, close }
}

/**
 * Checks that Redis takes writes and does not evict keys. A replica, or a Redis whose memory is full, answers every read while jobs
 * stand still. With an eviction policy a queue loses wake-ups when memory is short.
 * @throws Error that says what is wrong
 */
export async function checkRedis(commands: Redis, prefix: string): Promise<void> {
  await commands.set(`${prefix}:probe`, '1', 'PX', probeMs)
  const policy = valueIn(await commands.info('memory'), 'maxmemory_policy')
  if (policy !== null && policy !== 'noeviction') {
    throw new Error(`Redis has maxmemory-policy ${policy}; expected noeviction`)
  }
}

/** A value of what Redis tells of itself. Null: it does not tell, as some hosts have it. */
export function valueIn(info: string, name: string): string | null {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? null
}
