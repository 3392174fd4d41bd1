import { type Config, runRoles } from '@muster/runtime'
import { live } from './lifetime.ts'
import { startLocalHub } from './local-hub.ts'
import { roles } from './roles.ts'

/** Runs these roles until the process is told to end. */
export function serveRoles(names: readonly string[], config: Config): Promise<void> {
  return live(async (lifetime) => {
    const running = await runRoles(
      roles.filter(({ name }) => names.includes(name)),
      config,
    )
    lifetime.defer(() => running.stop('asked to'))
    return 'serving'
  })
}

/** Runs a whole hub until the process is told to end. */
export function serveAll(config: Config): Promise<void> {
  return live(async (lifetime) => {
    await startLocalHub(lifetime, config)
    return 'serving'
  })
}
