import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { keda } from './scaling-day/autoscaler.ts'
import { drawDay } from './scaling-day/chart.ts'
import { capacity, dayJobs, type Moment, outage, replayDay, secondOf } from './scaling-day/day.ts'

const day = replayDay()

/** The differences between the replicas of one second and the next, where there is one. */
const changes = day
  .map((moment, index) => ({ ...moment, by: moment.replicas - (day[index - 1]?.replicas ?? moment.replicas) }))
  .filter(({ by }) => by !== 0)

function between(from: string, to: string): readonly Moment[] {
  return day.slice(secondOf(from), secondOf(to))
}

function most(moments: readonly Moment[]): number {
  return Math.max(...moments.map(({ replicas }) => replicas))
}

describe('a day of load', () => {
  it('L5 has enough replicas within a minute, up to the highest number', () => {
    const late = day.filter(({ second, replicas }) => {
      const minute = day.slice(Math.max(0, second - 60), second + 1).map(({ load }) => load ?? 0)
      // What the autoscaler tolerates is a tenth.
      return replicas < Math.min(keda.maxReplicas, Math.min(...minute) / 1.1)
    })

    expect(late).toEqual([])
  })

  it('L5 never has fewer replicas than what is leased takes', () => {
    const short = changes.filter(({ by, leased, replicas }) => by < 0 && replicas * capacity.callsInFlight < leased)

    expect(short).toEqual([])
  })

  it('L5 does not flap: the number turns round twice for each peak, and no more', () => {
    const turns = changes.filter(({ by }, index) => Math.sign(by) !== Math.sign(changes[index - 1]?.by ?? -1))
    const peaks = dayJobs.filter(({ devices, rate }) => devices > capacity.callsInFlight && rate === undefined)

    expect(turns.length).toBeLessThanOrEqual(2 * peaks.length)
    expect(changes.length).toBeLessThanOrEqual(140)
  })

  it('L5 reaches the cap under a job of a million devices, and comes back', () => {
    expect(most(between('14:20', '14:22'))).toBe(keda.maxReplicas)
    expect(most(between('14:55', '15:00'))).toBe(keda.minReplicas)
  })

  it('L5 asks for two workers at most for a million twins, which are patched before others have started', () => {
    expect(most(between('02:10', '02:20'))).toBe(2)
  })

  it('L5 asks for no worker more for a job whose rate permits no more', () => {
    expect(most(between('10:20', '10:50'))).toBe(keda.minReplicas)
  })

  it('L5 leaves the replicas as they are while Postgres does not tell', () => {
    const away = day.slice(outage.from, outage.to)

    expect(new Set(away.map(({ replicas }) => replicas)).size).toBe(1)
    expect(away[0]?.replicas).toBeGreaterThan(keda.minReplicas)
  })

  it('L5 looks as it is drawn in the documents', async () => {
    await expect(drawDay(day)).toMatchFileSnapshot('../../../../docs/pictures/scaling.svg')
  })
})

it('L5 the autoscaler of the day has the numbers of the manifest', () => {
  const manifest = ['kubernetes', 'components', 'keda', 'scaled-objects', 'behaviour.yaml']
  const path = join(import.meta.dirname, '..', '..', '..', '..', 'deploy', ...manifest)
  const { pollingSeconds, minReplicas, maxReplicas, fallback, scaleUp, scaleDown } = keda

  expect(parse(readFileSync(path, 'utf8')).spec).toEqual({
    pollingInterval: pollingSeconds,
    minReplicaCount: minReplicas,
    maxReplicaCount: maxReplicas,
    fallback: { ...fallback, behavior: 'currentReplicasIfHigher' },
    advanced: {
      horizontalPodAutoscalerConfig: {
        behavior: {
          scaleUp: {
            stabilizationWindowSeconds: 0,
            selectPolicy: 'Max',
            policies: [
              { type: 'Percent', value: scaleUp.percent, periodSeconds: scaleUp.periodSeconds },
              { type: 'Pods', value: scaleUp.pods, periodSeconds: scaleUp.periodSeconds },
            ],
          },
          scaleDown: {
            stabilizationWindowSeconds: scaleDown.stabilizationSeconds,
            policies: [{ type: 'Pods', value: scaleDown.pods, periodSeconds: scaleDown.periodSeconds }],
          },
        },
      },
    },
  })
})
