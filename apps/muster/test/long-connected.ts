import type { TestHub } from './hub.ts'

/**
 * As if all devices had connected some time ago. Of one that connected in the second before a claim nobody can say whether a worker that is
 * gone called it through that connection, because the times of two processes may differ by as much.
 */
export async function beLongConnected(hub: TestHub): Promise<void> {
  await hub.running.hub.db.execute(`update sessions set state_updated_at = state_updated_at - interval '10 seconds'`)
}
