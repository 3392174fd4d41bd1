export {
  type BearerOptions,
  type BearerVerdict,
  type BearerVerifier,
  createBearerVerifier,
  IssuerError,
} from './bearer-token.ts'
export { type ConnectionString, formatConnectionString, parseConnectionString } from './connection-string.ts'
export { defaultPolicies, generateKey, type Permission, type Policy, permissions } from './policies.ts'
export { parseSasToken, type SasToken, type SasVerdict, signSasToken, verifySasToken } from './sas-token.ts'
