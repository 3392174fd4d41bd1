import type { OpenFront } from '../front/front.ts'
import type { Events } from '../observability/events.ts'
import { orAborted } from './deadline.ts'
import type { Role, RunningRole } from './role.ts'

interface StartedRole {
  readonly role: Role
  readonly run: RunningRole
}

/**
 * Stops the front and the roles within `seconds`: first the roles that call devices, then the gateway that holds the connections. The
 * sweeps repair the work of a role that does not stop in time. Rejects with the errors of the roles, after all of them are stopped.
 */
export async function stopRoles(
  started: readonly StartedRole[],
  { front, events, seconds }: { front: OpenFront; events: Events; seconds: number },
): Promise<void> {
  const after = (share: number) => AbortSignal.timeout(seconds * 1000 * share)
  const isGateway = ({ role }: StartedRole) => role.name === 'gateway'
  // At its deadline a role leaves the rest of its work. Until the end of its phase it may clean up.
  const phases = [
    { roles: started.filter((each) => !isGateway(each)), deadline: after(0.6), end: after(0.7) },
    { roles: started.filter(isGateway), deadline: after(0.9), end: after(1) },
  ]
  // The front stops after the gateway, because the WebSockets of the gateway are connections of the front.
  const closed = front.close(after(1))
  const failures: unknown[] = []
  for (const { roles, deadline, end } of phases) {
    const results = await Promise.allSettled(roles.map((each) => stopRole(each, { deadline, end, events })))
    failures.push(...results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])))
  }
  await closed
  if (failures.length > 0) throw new AggregateError(failures, 'roles failed to stop')
}

async function stopRole(
  { role, run }: StartedRole,
  { deadline, end, events }: { deadline: AbortSignal; end: AbortSignal; events: Events },
): Promise<void> {
  const startedAtMs = performance.now()
  await orAborted(run.stop(deadline), end)
  events.roleStopped({ role: role.name, seconds: (performance.now() - startedAtMs) / 1000 })
}
