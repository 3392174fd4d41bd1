import { hundredthsOf, type StageRequest } from '@muster/contract'

/** What a stage must have reached before the next one opens. */
export interface Gate {
  /** In percent of its devices. Null: every device of it and of the stages before has ended, however. */
  readonly successThreshold: number | null
  /** So long it waits after that. */
  readonly soakSeconds: number
  /** Somebody must ask for the next stage. */
  readonly isManual: boolean
}

export function gateBehind({ successThreshold, soakSeconds, approval }: StageRequest): Gate {
  return {
    successThreshold: successThreshold ?? null,
    soakSeconds: soakSeconds ?? 0,
    isManual: approval === 'manual',
  }
}

/** A stage that is open, and the gate behind it. */
export interface GatedStage {
  readonly stageNo: number
  readonly gate: Gate
  /** All of them. */
  readonly deviceCount: number
  readonly skipped: number
  readonly succeeded: number
  readonly failed: number
  /** Devices of it that have not ended. */
  readonly openCount: number
  /** The same of it and of the stages before. */
  readonly openSoFar: number
  /** Since when it has reached what the gate asks of its devices. Null: nobody has seen that yet. */
  readonly metAt: Date | null
}

/** What a gate waits for, with its numbers. */
export type GateState =
  | { readonly kind: 'devices'; readonly text: string }
  /** It cannot open by itself: too few of the devices have succeeded, and none of them is open. */
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'soak'; readonly until: Date; readonly text: string }
  | { readonly kind: 'approval'; readonly text: string }
  /** For nothing. */
  | { readonly kind: 'free'; readonly text: string }

/** A gate behind a stage without devices asks for nothing. Where all of them were skipped, none succeeded: it holds. */
export function stateOfGate(stage: GatedStage, now: Date): GateState {
  if (stage.deviceCount === 0) return { kind: 'free', text: `stage ${stage.stageNo} has no devices` }
  const { kind, text } = stateOfDevices(stage)
  if (kind !== 'met') return { kind, text }
  const until = new Date((stage.metAt ?? now).getTime() + stage.gate.soakSeconds * 1000)
  if (until > now) return { kind: 'soak', until, text }
  return { kind: stage.gate.isManual ? 'approval' : 'free', text }
}

function stateOfDevices(stage: GatedStage): { readonly kind: 'devices' | 'failed' | 'met'; readonly text: string } {
  const { stageNo, gate, succeeded, failed, openCount, openSoFar } = stage
  const deviceCount = stage.deviceCount - stage.skipped
  if (gate.successThreshold === null) {
    const ended = `${succeeded} of ${deviceCount} devices of stage ${stageNo} succeeded, and ${failed} failed`
    if (openSoFar > 0) return { kind: 'devices', text: `${ended}; of the stages so far ${openSoFar} have not ended` }
    return { kind: 'met', text: `${ended}; none of the stages so far is open` }
  }
  if (deviceCount === 0) {
    const skipped = `all ${stage.skipped} devices of stage ${stageNo} were skipped`
    return {
      kind: 'failed',
      text: `${skipped}; the next stage needs ${gate.successThreshold} % of those that were not`,
    }
  }
  const share = ((succeeded / deviceCount) * 100).toFixed(2)
  const reached = `${succeeded} of ${deviceCount} devices of stage ${stageNo} succeeded, ${share} %`
  const needed = `the next stage needs ${gate.successThreshold} %`
  if (succeeded * 10_000 >= hundredthsOf(gate.successThreshold) * deviceCount) {
    return { kind: 'met', text: `${reached}; ${needed}` }
  }
  if (openCount > 0) return { kind: 'devices', text: `${reached}, and ${openCount} have not ended; ${needed}` }
  return { kind: 'failed', text: `${reached}, and all have ended; ${needed}` }
}
