import type { StagedJob, StageRow } from './stage-rows.ts'
import { type Executed, ruleOfCriterion, ruleOfStage, type StopRule, stopReason } from './stop-rules.ts'

/** How many devices of each stage failed with each code. */
export type FailuresByCode = ReadonlyMap<number, ReadonlyMap<string, number>>

/** Rules by which a job stops now. */
export interface Stop {
  readonly action: 'pause' | 'cancel'
  readonly reason: string
  /** The numbers of the criteria of the job among them. */
  readonly criteria: readonly number[]
  /** The stages whose own rules are among them. */
  readonly stages: readonly number[]
}

/**
 * All rules that stop the job now and never did; to cancel it goes before a pause. Null: none does. Failures by code are counted only if a
 * rule needs them that would stop the job if all failures were of its codes: to count them reads every failure.
 */
export async function findStop(job: StagedJob, countFailures: () => Promise<FailuresByCode>): Promise<Stop | null> {
  const rules = [...criteriaOf(job), ...stageRulesOf(job)].filter(
    (rule) => stopReason(rule, executed(rule, null)) !== null,
  )
  if (rules.length === 0) return null
  const failures = rules.some(({ isCounted }) => isCounted !== null) ? await countFailures() : null
  const fired = rules.flatMap((rule) => {
    const reason = stopReason(rule, executed(rule, failures))
    return reason === null ? [] : [{ ...rule, reason: `${rule.lead}${reason}` }]
  })
  if (fired.length === 0) return null
  return {
    action: fired.some(({ action }) => action === 'cancel') ? 'cancel' : 'pause',
    reason: fired.map(({ reason }) => reason).join('. '),
    criteria: fired.flatMap(({ criterionNo }) => criterionNo ?? []),
    stages: fired.flatMap(({ stageNo }) => stageNo ?? []),
  }
}

/** A rule, and the stages of whose devices it is. */
interface PlacedRule extends StopRule {
  readonly criterionNo: number | null
  readonly stageNo: number | null
  /** What its reason begins with. */
  readonly lead: string
  readonly of: readonly StageRow[]
}

function criteriaOf({ criteria, firedCriteria, stages }: StagedJob): readonly PlacedRule[] {
  return criteria.flatMap((criterion, criterionNo) =>
    firedCriteria.includes(criterionNo)
      ? []
      : [{ ...ruleOfCriterion(criterion), criterionNo, stageNo: null, lead: '', of: stages }],
  )
}

function stageRulesOf({ stages, openStage }: StagedJob): readonly PlacedRule[] {
  return stages.flatMap((stage) => {
    const { stageNo, abortWhen, abortedAt } = stage
    if (abortWhen === null || abortedAt !== null || stageNo > openStage) return []
    return [{ ...ruleOfStage(abortWhen), criterionNo: null, stageNo, lead: `Stage ${stageNo}: `, of: [stage] }]
  })
}

function executed({ of }: PlacedRule, failures: FailuresByCode | null): Executed {
  const byCode = new Map<string, number>()
  for (const { stageNo } of of) {
    for (const [code, count] of failures?.get(stageNo) ?? []) byCode.set(code, (byCode.get(code) ?? 0) + count)
  }
  return {
    succeeded: of.reduce((sum, { succeeded }) => sum + succeeded, 0),
    failed: of.reduce((sum, { failed }) => sum + failed, 0),
    byCode: failures === null ? null : byCode,
  }
}
