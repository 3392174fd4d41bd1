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
 * gateway gets the time of the others for calls that wait for their answers, also where it is alone in its process. The sweeps repair the work of a role that does not stop in time. Rejects with the errors of the roles, after all of them are stopped.
 */
export async function stopRoles(
  started: readonly StartedRole[],
  { front, events, seconds }: { front: OpenFront; events: Events; seconds: number },
): Promise<void> {
  const after = (share: number) => AbortSignal.timeout(seconds * 1000 * share)
  const isGateway = ({ role }: StartedRole) => role.name === 'gateway'
  // At its deadline a role leaves the rest of its work. Until the end of its phase it may clean up.
  const first = { deadline: after(0.6), end: after(0.7) }
  const last = { deadline: after(0.9), end: after(1) }
  // The front stops after the gateway, because the WebSockets of the gateway are connections of the front.
  const closed = front.close(after(1))
  const others = started.filter((each) => !isGateway(each))
  const failures = await reasonsOf([
    ...started.map(async ({ run }) => run.drain?.(first.deadline)),
    ...others.map((each) => stopRole(each, { ...first, events })),
  ])
  failures.push(...(await reasonsOf(started.filter(isGateway).map((each) => stopRole(each, { ...last, events })))))
  await closed
  if (failures.length > 0) throw new AggregateError(failures, 'roles failed to stop')
}

async function reasonsOf(stops: readonly Promise<void>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(stops)
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
}

async function stopRole(
  { role, run }: StartedRole,
  { deadline, end, events }: { deadline: AbortSignal; end: AbortSignal; events: Events },
): Promise<void> {
  const startedAtMs = performance.now()
  await orAborted(run.stop(deadline), end)
  events.roleStopped({ role: role.name, seconds: (performance.now() - startedAtMs) / 1000 })
}
