export const roleNames = ['api', 'dispatcher', 'worker', 'gateway'] as const
export type RoleName = (typeof roleNames)[number]
