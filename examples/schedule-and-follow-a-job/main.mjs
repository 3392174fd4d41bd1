// Calls a direct method on many devices, follows the job to its end, and says where it failed.
import { createClient } from '@muster/client'

const { IOTHUB_CONNECTION_STRING: connectionString, HUB_URL: url } = process.env
const [condition = '*', methodName = 'reboot'] = process.argv.slice(2)
if (connectionString === undefined)
  throw new Error('IOTHUB_CONNECTION_STRING is not set: "muster connection-string" prints it')

// For a hub on this machine: HUB_URL=http://127.0.0.1:8080. For a certificate of an own CA: NODE_EXTRA_CA_CERTS=ca.pem.
const muster = createClient({ connectionString, ...(url === undefined ? {} : { url }) })
const jobId = `${methodName}-${Date.now()}`

const { deviceCount } = await muster.jobs.preview({ queryCondition: condition })
print(`${deviceCount} devices meet ${condition}`)

await muster.jobs.create({
  jobId,
  queryCondition: condition,
  cloudToDeviceMethod: { methodName, payload: { reason: 'example' }, responseTimeoutInSeconds: 10 },
  maxExecutionTimeInSeconds: 60,
})

// Ends after the job has ended. A lost connection is opened again, and no event is missing.
for await (const told of muster.jobs.events(jobId)) {
  if (told.kind !== 'statistics') print(`${told.time} ${told.kind}`)
  else print(`${told.deviceJobStatistics.succeededCount} of ${told.deviceJobStatistics.deviceCount} succeeded`)
}

for await (const row of muster.jobs.devices(jobId, { status: 'failed' })) {
  print(`${row.deviceId}: ${row.error?.code}, ${row.error?.description}`)
  process.exitCode = 1
}

function print(line) {
  process.stdout.write(`${line}\n`)
}
