import { signSasToken } from '@muster/auth'
import type { LocalHub } from '../local-hub.ts'
import { musterCommand, shellWord } from './command-line.ts'

const tokenDays = 7

/** The data folder. Other commands look there for the running hub. */
export interface DataFolder {
  readonly dataDir: string
  readonly isDefault: boolean
  readonly logFile: string
}

/** How to reach a hub that runs in this process, and lines to paste. Holds its keys: for the user's terminal only. */
export function nextSteps(hub: LocalHub, { dataDir, isDefault, logFile }: DataFolder, now: Date): string {
  const muster = musterCommand(isDefault ? {} : { MUSTER_DATA_DIR: dataDir })
  return `
  Service API        https://${addressOf(hub)}  (in clear: http://127.0.0.1:${hub.httpPort})
  Reference          https://${addressOf(hub)}/docs
  MQTT over TLS      ${hub.hostName}:${hub.mqttsPort}
  Connection string  ${hub.connectionString}
  CA certificate     ${hub.caFile}
${hub.stores.map((store) => `  Store              ${store}`).join('\n')}
  Log                ${logFile}

With curl; the token is good for ${tokenDays} days:

${curlLines(hub, now)}

With the Azure SDK for Node.js (npm install azure-iothub):

${sdkLines(hub)}

From another terminal, more devices and another token:

  ${muster} simulate --devices 50 --tags '{"building":43}'
  ${muster} token

Ctrl-C stops the hub; "npm start" finds its data again.
`
}

function curlLines(hub: LocalHub, now: Date): string {
  const job = {
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
    queryCondition: 'tags.building = 43',
    maxExecutionTimeInSeconds: 60,
  }
  const token = signSasToken({
    resource: hub.hostName,
    key: hub.owner.primaryKey,
    policyName: hub.owner.name,
    expiresAt: new Date(now.getTime() + tokenDays * 24 * 3600_000),
  })
  const url = `"https://${addressOf(hub)}/jobs/v2/$JOB?api-version=2021-04-12"`
  return `  CA=${shellWord(hub.caFile)}
  TOKEN='${token}'
  JOB="reboot-$(date +%s)"
  curl -sS --cacert "$CA" -H "Authorization: $TOKEN" -H 'Content-Type: application/json' -X PUT ${url} \\
    -d '${JSON.stringify(job)}'
  curl -sS --cacert "$CA" -H "Authorization: $TOKEN" ${url}`
}

function sdkLines(hub: LocalHub): string {
  const elsewhere = `  The SDK connects to port 443 and to no other, and this hub is on ${hub.httpsPort}. So that a program without privileges may
  open port 443 on Linux, and then start again:  sudo sysctl -w net.ipv4.ip_unprivileged_port_start=443\n\n`
  return `${hub.httpsPort === 443 ? '' : elsewhere}  NODE_EXTRA_CA_CERTS=${shellWord(hub.caFile)} node -e '
    const { JobClient } = require("azure-iothub")
    const jobs = JobClient.fromConnectionString("${hub.connectionString}")
    const method = { methodName: "reboot", payload: null, responseTimeoutInSeconds: 10 }
    jobs.scheduleDeviceMethod("reboot-" + Date.now(), "tags.building = 43", method, new Date(), 60)
      .then(({ jobStatus }) => console.log(jobStatus))'`
}

function addressOf({ hostName, httpsPort }: LocalHub): string {
  return httpsPort === 443 ? hostName : `${hostName}:${httpsPort}`
}
