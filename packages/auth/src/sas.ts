export { type ConnectionString, formatConnectionString, parseConnectionString } from './connection-string.ts'
export { signSasToken } from './sas-token.ts'
