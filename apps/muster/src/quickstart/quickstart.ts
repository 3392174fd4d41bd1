import { join } from 'node:path'
import { defaultDataDir } from '@muster/local-services'
import { type Config, isLoopback } from '@muster/runtime'
import { type Lifetime, live, type Outcome } from '../lifetime.ts'
import { type LocalHub, startLocalHub } from '../local-hub.ts'
import { runDemo } from './demo.ts'
import { nextSteps } from './next-steps.ts'

export interface QuickstartOptions {
  /** Ends after the demo, and fails when its results are not the expected ones. */
  readonly once?: boolean
  readonly demo: boolean
}

/** The quickstart: a hub on private stores, a demonstration of its jobs, and lines to paste. */
export function quickstart(config: Config, { once = false, demo }: QuickstartOptions): Promise<void> {
  const output = process.stdout
  const run = async (lifetime: Lifetime): Promise<Outcome> => {
    const logFile = join(config.dataDir, 'hub.log')
    const hub = await startHub(lifetime, { config, output, logFile })
    const differences = demo ? await runDemo(lifetime, hub, output) : []
    for (const difference of differences) output.write(`Not as it must be: ${difference}\n`)
    if (once) {
      if (differences.length === 0) output.write('All results are as they must be.\n')
      return differences.length === 0 ? 'done' : 'failed'
    }
    const folder = { dataDir: config.dataDir, isDefault: config.dataDir === defaultDataDir(), logFile }
    output.write(nextSteps(hub, folder, new Date()))
    return 'serving'
  }
  return live(run, { mustFinish: once })
}

/** A person waits for the prompt. The hub gets two seconds, which leaves time for the stores. */
const shutdownSeconds = 2

async function startHub(
  lifetime: Lifetime,
  { config, output, logFile }: { config: Config; output: NodeJS.WriteStream; logFile: string },
): Promise<LocalHub> {
  output.write('Starting the hub ...\n')
  const startedAtMs = performance.now()
  const hub = await startLocalHub(
    lifetime,
    { ...config, shutdownSeconds },
    { logFile, onIncident: ({ message }) => output.write(`${message}\n`) },
  )
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  const { hostName, bind, httpsPort, httpPort, mqttsPort } = hub
  output.write(`The hub runs after ${seconds} s: HTTPS ${httpsPort}, HTTP ${httpPort}, MQTT over TLS ${mqttsPort}.\n`)
  output.write(
    isLoopback(bind)
      ? `HTTPS and MQTT are for this machine only (${bind}); MUSTER_BIND=:: opens them to the network.\n`
      : `HTTPS and MQTT are open to the network (MUSTER_BIND=${bind}).\n`,
  )
  if (config.httpsPort === 443 && httpsPort !== 443) {
    output.write(
      `Port 443 needs privileges that this process lacks, so ${hostName} serves HTTPS on ${httpsPort} instead.\n`,
    )
  }
  return hub
}
