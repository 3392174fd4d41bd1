import { readFileSync } from 'node:fs'
import { redirectSdks } from './e2e/redirect.ts'

// Loaded before a program that uses an SDK: the SDK finds the hub of a test, which is on other ports than it knows.
const { HTTPS_PORT, MQTTS_PORT, NODE_EXTRA_CA_CERTS = '' } = process.env
redirectSdks({
  httpsPort: Number(HTTPS_PORT),
  mqttsPort: Number(MQTTS_PORT),
  ca: readFileSync(NODE_EXTRA_CA_CERTS, 'utf8'),
})
