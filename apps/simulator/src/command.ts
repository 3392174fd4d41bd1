import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { parseConnectionString } from '@muster/auth'
import type { JsonObject } from '@muster/contract'
import { Command, Option } from 'commander'
import { parseCount, parseLatency, parsePort, parsePrefix, parseShare, parseStatus, parseTags } from './arguments.ts'
import type { Shares } from './behaviour.ts'
import { messageOf } from './failure.ts'
import { readHubFile } from './hub-file.ts'
import { type Simulation, simulate } from './simulate.ts'

/**
 * `muster simulate`. Without a connection string, the `hub.json` at `hubFile` says how to reach the local hub. The path is asked for
 * when the command runs; what it throws is the command's error.
 */
export function simulateCommand({ hubFile }: { readonly hubFile: () => string | Promise<string> }): Command {
  const command = new Command('simulate')
    .description('register simulated devices, connect them over MQTT and let them answer, until Ctrl-C')
    .option('--connection-string <text>', 'a service connection string; default: the hub that runs on this machine')
    .addOption(
      new Option(
        '--connection-string-file <file>',
        'a file with the connection string, which no other user sees',
      ).conflicts('connectionString'),
    )
    .option('--ca <file>', 'certificate authority to trust beside the usual ones, PEM')
    .option('--https-port <port>', 'port of the service API', parsePort)
    .option('--mqtts-port <port>', 'port for devices', parsePort)
    .option('--devices <count>', 'how many devices', parseCount, 10)
    .option('--prefix <text>', 'what the device ids start with', parsePrefix, 'sim-')
    .option('--tags <json>', 'tags of every new device', parseTags, {})
    .addOption(
      new Option('--latency <ms>', 'time before a method is answered, fixed or a range')
        .argParser(parseLatency)
        .default([20, 200], '20-200'),
    )
    .option('--failing <percent>', 'share of devices that answer methods with --status', parseShare, 0)
    .option('--status <number>', 'status that failing devices answer', parseStatus, 500)
    .option('--silent <percent>', 'share of devices that never answer methods', parseShare, 0)
    .option('--offline <percent>', 'share of devices that are registered and do not connect', parseShare, 0)
  return command.action(async (options: Options) => {
    const path = await hubFile()
    const stop = new AbortController()
    // Only the first signal: a second Ctrl-C ends the process at once.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    try {
      await simulate(await simulationOf(options, path), process.stdout, stop.signal)
    } catch (error) {
      if (!stop.signal.aborted) command.error(`error: ${messageOf(error)}`)
    }
  })
}

interface Options {
  readonly connectionString?: string
  readonly connectionStringFile?: string
  readonly ca?: string
  readonly httpsPort?: number
  readonly mqttsPort?: number
  readonly devices: number
  readonly prefix: string
  readonly tags: JsonObject
  readonly latency: readonly [number, number]
  readonly failing: number
  readonly status: number
  readonly silent: number
  readonly offline: number
}

async function simulationOf(options: Options, hubFile: string): Promise<Simulation> {
  return {
    shares: sharesOf(options),
    hub: await findHub(options, hubFile),
    deviceCount: options.devices,
    prefix: options.prefix,
    tags: options.tags,
  }
}

function sharesOf({ failing, status, silent, offline, latency }: Options): Shares {
  if (failing + silent + offline > 1) {
    const sum = Math.round((failing + silent + offline) * 100)
    throw new RangeError(`--failing, --silent and --offline are ${sum}% together; expected 100% at most`)
  }
  return { failing, failStatus: status, silent, offline, latencyMs: latency }
}

async function findHub(options: Options, hubFile: string): Promise<Simulation['hub']> {
  const given = await givenConnectionString(options)
  const local = given === undefined ? await readHubFile(hubFile) : null
  const text = given ?? local?.connectionString
  if (text === undefined) {
    throw new Error(`no hub runs on this machine (there is no ${hubFile}); start one, or give --connection-string`)
  }
  const { hostName, sharedAccessKeyName, sharedAccessKey, gatewayHostName } = parseConnectionString(text)
  if (sharedAccessKeyName === undefined || sharedAccessKey === undefined) {
    throw new TypeError('--connection-string must be that of a service, with SharedAccessKeyName and SharedAccessKey')
  }
  const caFile = options.ca ?? local?.caFile
  return {
    hostName,
    ...(gatewayHostName !== undefined && { gatewayHost: gatewayHostName }),
    httpsPort: options.httpsPort ?? local?.httpsPort ?? 443,
    mqttsPort: options.mqttsPort ?? local?.mqttsPort ?? 8883,
    ca: [...rootCertificates, ...(caFile === undefined ? [] : [await readCertificates(caFile)])].join('\n'),
    policyName: sharedAccessKeyName,
    key: sharedAccessKey,
  }
}

async function givenConnectionString({
  connectionString,
  connectionStringFile: file,
}: Options): Promise<string | undefined> {
  if (file === undefined) return connectionString
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`the connection string in ${file} cannot be read: ${messageOf(cause)}`, { cause })
  })
}

async function readCertificates(caFile: string): Promise<string> {
  return await readFile(caFile, 'utf8').catch((cause: unknown) => {
    throw new Error(`the CA file ${caFile} cannot be read: ${messageOf(cause)}; --ca expects a PEM file`, { cause })
  })
}
