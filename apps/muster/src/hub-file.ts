import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toError } from '@muster/contract'
import { makeFolder, StartError } from '@muster/runtime'
import type { HubFile } from '@muster/simulator'
import { z } from 'zod'

export function hubFilePath(dataDir: string): string {
  return join(dataDir, 'hub.json')
}

/** How the tools on this machine reach the hub. */
interface LocalHubFile extends HubFile {
  readonly pid: number
  readonly hostname: string
  readonly httpPort: number
  /** Only of a Postgres that the hub started. Whoever gave it another one knows the address. */
  readonly databaseUrl?: string
}

/**
 * Writes the file in the data folder, for the tools on this machine. It holds a key and a password, so only its owner may read it.
 * Throws StartError when it cannot be written.
 */
export async function writeHubFile(dataDir: string, hub: LocalHubFile): Promise<void> {
  const path = hubFilePath(dataDir)
  try {
    await makeFolder(dataDir)
    await writeFile(`${path}.new`, `${JSON.stringify(hub, null, 2)}\n`, { mode: 0o600 })
    await rename(`${path}.new`, path)
  } catch (cause) {
    throw new StartError(`${path} cannot be written (${toError(cause).message}): set MUSTER_DATA_DIR`, {
      cause,
    })
  }
}

const credentialsSchema = z.object({ connectionString: z.string(), databaseUrl: z.string().optional() })

/** The data to find keys of the hub that runs here. Null when there is no file, so no hub runs. Throws StartError. */
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
