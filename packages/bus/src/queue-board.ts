import type { createBullBoard } from '@bull-board/api'
import type { Queue } from 'bullmq'

/** The web server of a board, as its library knows some. */
export type BoardServer = Parameters<typeof createBullBoard>[0]['serverAdapter']

/**
 * Shows the queues on a board that can change nothing. What a wake-up holds is the key of a job or a webhook, and at most a type. The library is
 * loaded here and not with this file: it takes 30 MB and most processes never show a board.
 */
export async function showQueues(queues: readonly Queue[], server: BoardServer): Promise<void> {
  const [{ createBullBoard }, { BullMQAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
  ])
  createBullBoard({
    queues: queues.map(
      (queue) => new BullMQAdapter(queue, { readOnlyMode: true, description: descriptions[queue.name] ?? '' }),
    ),
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Muster wake-ups' } },
  })
}

const descriptions: Readonly<Record<string, string>> = {
  jobs: 'The dispatcher looks at a job',
  webhooks: 'A dispatcher sends the events of a webhook that are due',
  work: 'Workers look for chunks, or for due device jobs, of a job',
}
