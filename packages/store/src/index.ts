export * from './chunks.ts'
export * from './confirm-sessions.ts'
export * from './connect.ts'
export { isDatabaseLost, isWorthRepeating } from './database-error.ts'
export type { DesiredChange } from './desired-change.ts'
export { readDesiredSince } from './desired-removals.ts'
export * from './device-jobs.ts'
export * from './devices.ts'
export { keyFingerprint, thumbprintFingerprint } from './fingerprints.ts'
export * from './gateways.ts'
export {
  type Authentication,
  type Credentials,
  deleteIdentities,
  deleteIdentity,
  type Identity,
  type IdentityDraft,
  type IdentitySettings,
  insertIdentities,
  lockIdentity,
  readCredentials,
  readIdentity,
  updateIdentity,
} from './identities.ts'
export * from './jobs.ts'
export * from './modules.ts'
export type { Page, PageRequest } from './page.ts'
export * from './partitions.ts'
export * from './policies.ts'
export { previewTarget } from './preview-target.ts'
export { runQuery } from './query.ts'
export * from './sessions.ts'
export type { Db } from './sql.ts'
export * from './start-job.ts'
export * from './sweeps.ts'
export { deviceColumns } from './twin-columns.ts'
export { checkPatchFits } from './twin-patch.ts'
export * from './twin-sets.ts'
export * from './twins.ts'
