import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, StartError } from '@muster/runtime'
import type { HubFile } from '@muster/simulator'
import { z } from 'zod'

export function hubFilePath(dataDir: string): string {
  return join(dataDir, 'hub.json')
}

/** What the hub says of itself to the tools on this machine. */
interface LocalHubFile extends HubFile {
  readonly pid: number
  readonly hostname: string
  readonly httpPort: number
  /** Of a Postgres of its own; one that was given to it is for its giver to tell. */
  readonly databaseUrl?: string
}

/**
 * Leaves word in the data folder of the hub that runs here, for the tools on this machine. It holds a key and a password: only
 * its owner may read it. Throws StartError when it cannot be written.
 */
export async function writeHubFile(dataDir: string, hub: LocalHubFile): Promise<void> {
  const path = hubFilePath(dataDir)
  try {
    await makeFolder(dataDir)
    await writeFile(`${path}.new`, `${JSON.stringify(hub, null, 2)}\n`, { mode: 0o600 })
    await rename(`${path}.new`, path)
  } catch (cause) {
    throw new StartError(
      `${path} cannot be written (${cause instanceof Error ? cause.message : cause}): set MUSTER_DATA_DIR`,
      {
        cause,
      },
    )
  }
}

const credentialsSchema = z.object({ connectionString: z.string(), databaseUrl: z.string().optional() })

/** What it takes to find keys of the hub that runs here. Null when there is no such file: none runs. Throws StartError. */
export async function readHubFile(dataDir: string): Promise<z.output<typeof credentialsSchema> | null> {
  const path = hubFilePath(dataDir)
  try {
    return credentialsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new StartError(`${path} does not describe a running hub: start the hub again`, { cause })
  }
}

export async function removeHubFile(dataDir: string): Promise<void> {
  await rm(hubFilePath(dataDir), { force: true })
}
