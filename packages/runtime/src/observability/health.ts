import pTimeout from 'p-timeout'
import type { Metrics } from '../metrics/metrics.ts'
import type { CheckName } from '../metrics/words.ts'

/** Something that this process depends on. */
export interface Check {
  readonly name: CheckName
  /** Throws when it does not work. */
  readonly check: () => Promise<void>
  /** True: without it the process must get no requests. False: its state is only shown. */
  readonly isNeeded: boolean
}

/** How long a check may take. Less than the timeout of a usual probe, so that the answer names the check that hangs. */
const checkMs = 2000

/**
 * The pages of the operator. Live: the event loop runs, or there would be no answer. It checks nothing else, because a restart repairs
 * neither Postgres nor Redis. Ready: everything that is needed passes its check within 2 s.
 */
export function operatorPages(options: {
  version: string
  metrics: Metrics
  checks: () => readonly Check[]
  onFailure: (check: CheckName, error: unknown) => void
  onUnread: (error: unknown) => void
}): (path: string) => Promise<Response> | null {
  const { version, metrics, checks, onFailure, onUnread } = options
  const pages = new Map<string, () => Promise<Response>>([
    ['/health/live', async () => Response.json({ status: 'live', version })],
    ['/health/ready', () => readiness(checks(), onFailure)],
    ['/metrics', () => scrape(metrics, onUnread)],
  ])
  return (path) => pages.get(path)?.() ?? null
}

async function scrape(metrics: Metrics, onUnread: (error: unknown) => void): Promise<Response> {
  const { text, contentType } = await metrics.scrape(onUnread)
  return new Response(text, { headers: { 'content-type': contentType } })
}

async function readiness(
  checks: readonly Check[],
  onFailure: (check: CheckName, error: unknown) => void,
): Promise<Response> {
  const results = await Promise.all(
    checks.map(async ({ name, check, isNeeded }) => {
      try {
        await pTimeout(check(), { milliseconds: checkMs, message: `no answer within ${checkMs} ms` })
        return { name, isNeeded, isPassed: true }
      } catch (error) {
        onFailure(name, error)
        return { name, isNeeded, isPassed: false }
      }
    }),
  )
  const isReady = results.every(({ isNeeded, isPassed }) => isPassed || !isNeeded)
  return Response.json(
    {
      status: isReady ? 'ready' : 'unready',
      checks: Object.fromEntries(results.map(({ name, isPassed }) => [name, isPassed ? 'passed' : 'failed'])),
    },
    { status: isReady ? 200 : 503 },
  )
}
