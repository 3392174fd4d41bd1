import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { valueIn } from './connection.ts'

/** The states of wake-ups: for a consumer now, being handled, for later. `prioritized` and `paused` ones do not exist here. */
export const queueStates = ['waiting', 'active', 'delayed'] as const
export const queueNames = ['jobs', 'work', 'webhooks'] as const

export interface BusFigures {
  readonly queues: readonly {
    readonly queue: (typeof queueNames)[number]
    readonly state: (typeof queueStates)[number]
    readonly count: number
  }[]
  readonly memoryBytes: number
  /** 0: there is no limit. */
  readonly memoryLimitBytes: number
  /** Null: Redis does not tell, as some hosts have it. */
  readonly isNoeviction: boolean | null
}

/** Three commands, whose cost does not grow with the queues. */
export async function readFigures(
  commands: Redis,
  queues: Readonly<Record<(typeof queueNames)[number], Queue>>,
): Promise<BusFigures> {
  const [memory, ...counts] = await Promise.all([
    commands.info('memory'),
    ...queueNames.map((name) => queues[name].getJobCounts(...queueStates)),
  ])
  const policy = valueIn(memory, 'maxmemory_policy')
  return {
    queues: queueNames.flatMap((queue, no) =>
      queueStates.map((state) => ({ queue, state, count: counts[no]?.[state] ?? 0 })),
    ),
    memoryBytes: Number(valueIn(memory, 'used_memory') ?? 0),
    memoryLimitBytes: Number(valueIn(memory, 'maxmemory') ?? 0),
    isNoeviction: policy === null ? null : policy === 'noeviction',
  }
}
