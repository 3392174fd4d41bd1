import { toError } from '@muster/contract'
import pTimeout from 'p-timeout'
import type { Connections } from './connection.ts'

/** `tokens` fill an empty bucket in `perMs`. A bucket never holds more. */
export interface BucketRate {
  readonly tokens: number
  readonly perMs: number
}

/** Token buckets that all processes of the hub share. While Redis is away or slow, every request for tokens is allowed. */
export interface TokenBuckets {
  /**
   * Takes tokens out of a bucket. 0: they are taken. Otherwise none is taken, and the result is the ms until there are enough, if
   * nobody else takes them. A count above the size of the bucket is taken from a full bucket, which then owes: the next one waits.
   */
  takeTokens(bucket: string, count: number, rate: BucketRate): Promise<number>
  /** Takes tokens that are already used, also if the bucket has too few. A negative count gives tokens back. */
  chargeTokens(bucket: string, count: number, rate: BucketRate): Promise<void>
}

/** After this wait for Redis a request is served without a limit. */
const answerMsMax = 250
/** The pause after a failure; then one request asks again. So a Redis that hangs costs one request a second its 250 ms. */
const pauseMs = 1_000

/**
 * The value of a bucket is the time at which it will be full. A full bucket has no key. The clock is that of Redis, the same for all
 * processes. KEYS: bucket. ARGV: tokens that fill it, ms that this takes, tokens to take, 1 when they are taken in any case.
 */
const script = `
  local capacity, fill, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
  local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now))
  local cost = count * fill / capacity
  local wait = full + math.min(cost, fill) - now - fill
  if wait > 0 and ARGV[4] ~= '1' then
    return math.ceil(wait)
  end
  full = math.max(now, full + cost)
  if full > now then
    redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now))
  else
    redis.call('DEL', KEYS[1])
  end
  return 0`

export function createTokenBuckets(
  { commands }: Pick<Connections, 'commands'>,
  { prefix, onError }: { prefix: string; onError: (error: Error) => void },
): TokenBuckets {
  /** When the pause began, or when the request that tests Redis again was made. Null while Redis answers. */
  let pausedAtMs: number | null = null

  async function move(bucket: string, count: number, { tokens, perMs }: BucketRate, always: 0 | 1): Promise<number> {
    const askedAtMs = performance.now()
    if (pausedAtMs !== null) {
      if (askedAtMs < pausedAtMs + pauseMs) return 0
      pausedAtMs = askedAtMs
    }
    try {
      const key = `${prefix}:tokens:${bucket}`
      const moved = commands.eval(script, 1, key, tokens, perMs, count, always)
      const waitMs = Number(
        await pTimeout(moved, { milliseconds: answerMsMax, message: `Redis gave no tokens within ${answerMsMax} ms` }),
      )
      if (pausedAtMs === askedAtMs) pausedAtMs = null
      return waitMs
    } catch (error) {
      // Requests that were under way when the first one failed are not further failures.
      if (pausedAtMs === null || pausedAtMs === askedAtMs) {
        pausedAtMs = performance.now()
        onError(toError(error))
      }
      return 0
    }
  }

  return {
    takeTokens: (bucket, count, rate) => move(bucket, count, rate, 0),
    chargeTokens: async (bucket, count, rate) => void (await move(bucket, count, rate, 1)),
  }
}
