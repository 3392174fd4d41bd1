import type { GatewayId } from '@muster/contract'
import type { Hub } from '@muster/runtime'
import pLimit from 'p-limit'
import { createLine, type Line } from './line.ts'

/** The things that the parts of one gateway share. */
export interface Gateway
  extends Pick<Hub, 'config' | 'db' | 'bus' | 'events' | 'metrics' | 'clock' | 'throttles' | 'tracing'> {
  readonly gatewayId: GatewayId
  readonly statements: Statements
}

/** Runs work of devices in Postgres. All of it goes through here, so that a storm of devices cannot take the whole pool. */
export type Statements = (<Result>(work: () => Promise<Result>) => Promise<Result>) & Pick<Line, 'expectedWaitMs'>

export function createStatements(atOnce: number): Statements {
  const limit = pLimit(atOnce)
  const line = createLine()
  const run = <Result>(work: () => Promise<Result>) => line.through(() => limit(work))
  return Object.assign(run, { expectedWaitMs: line.expectedWaitMs })
}

/** A device waits so long for an answer: for that to its CONNECT, as for that to a request. */
export const patienceMs = 10_000

/** What waits longer is refused at once: the right answer would come when nobody waits for it. */
export function isOverloaded({ expectedWaitMs }: Pick<Line, 'expectedWaitMs'>): boolean {
  return expectedWaitMs() > patienceMs
}
