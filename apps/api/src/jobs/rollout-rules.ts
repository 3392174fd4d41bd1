import { type Extensions, HubError, type StageRequest, shareOf, type Target } from '@muster/contract'
import { checkCondition } from './target.ts'

/**
 * Checks of the stages of a new job what the schema of the body cannot. Returns a warning for each rule of the stages, or of the job as a
 * whole, that can never do anything.
 * @throws HubError ArgumentInvalid that names the member, its value and what was expected
 */
export function checkRollout({ rollout, abort }: Extensions, target: Target): readonly string[] {
  const stages = rollout?.stages ?? []
  const listedCount = target.kind === 'devices' ? target.deviceIds.length : null
  for (const [no, { condition }] of stages.entries()) {
    if (condition !== undefined) checkStageCondition(condition, `rollout.stages.${no}.condition`)
  }
  if (listedCount !== null) checkSum(stages, listedCount)
  return [
    ...stages.slice(0, -1).flatMap((stage, no) => silentAborts(stage, no, sizeOf(stage, listedCount))),
    ...silentGate(stages),
    ...(abort?.criteria ?? []).flatMap(({ minNumberOfExecuted }, no) =>
      listedCount === null || minNumberOfExecuted <= listedCount
        ? []
        : [neverStops(`abort.criteria.${no}.minNumberOfExecuted`, minNumberOfExecuted, `the job has ${listedCount}`)],
    ),
  ]
}

function checkStageCondition(condition: string, member: string): void {
  if (condition.trim() === '') {
    throw new HubError('ArgumentInvalid', { message: `${member} is empty; expected a condition over the twin` })
  }
  checkCondition(condition, member)
}

function checkSum(stages: readonly StageRequest[], listedCount: number): void {
  const sum = stages.reduce((count, { size }) => count + (typeof size === 'number' ? size : 0), 0)
  if (sum <= listedCount) return
  throw new HubError('ArgumentInvalid', {
    message: `rollout.stages must be for at most ${listedCount} devices, which deviceIds holds, got ${sum}`,
  })
}

/** How many devices a stage has at most. Null: that is not known before the start. */
function sizeOf(stage: StageRequest, listedCount: number | null): number | null {
  if (typeof stage.size === 'number') return stage.size
  const share = shareOf(stage)
  return share === null || listedCount === null ? null : Math.max(1, Math.round((listedCount * share) / 100))
}

function silentAborts({ abort }: StageRequest, no: number, size: number | null): readonly string[] {
  if (size === null || abort === undefined) return []
  const needed = [
    ['failureCount', abort.failureCount ?? 0],
    ['minEnded', abort.minEnded ?? 0],
  ] as const
  return needed.flatMap(([member, count]) =>
    count <= size ? [] : [neverStops(`rollout.stages.${no}.abort.${member}`, count, `the stage has ${size} at most`)],
  )
}

function neverStops(member: string, count: number, having: string): string {
  return `${member} is ${count} devices, but ${having}: it never stops the job`
}

/** No stage follows the last one. */
function silentGate(stages: readonly StageRequest[]): readonly string[] {
  const { successThreshold, soakSeconds, approval } = stages.at(-1) ?? {}
  const given = Object.entries({ successThreshold, soakSeconds, approval }).filter(([, value]) => value !== undefined)
  return given.map(
    ([member]) => `rollout.stages.${stages.length - 1}.${member} opens nothing: no stage follows this one`,
  )
}
