import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toError } from '@muster/contract'
import { makeFolder, StartError } from '@muster/runtime'
import { type HubFile, readHubFile as readFile } from '@muster/simulator'

export function hubFilePath(dataDir: string): string {
  return join(dataDir, 'hub.json')
}

/** How the tools on this machine reach the hub. */
interface LocalHubFile extends HubFile {
  readonly pid: number
  readonly hostname: string
  readonly httpPort: number
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

/** Null when there is no file, so no hub runs. Throws StartError. */
export function readHubFile(dataDir: string): Promise<HubFile | null> {
  return readFile(hubFilePath(dataDir)).catch((cause) => {
    throw new StartError(toError(cause).message, { cause })
  })
}

export async function removeHubFile(dataDir: string): Promise<void> {
  await rm(hubFilePath(dataDir), { force: true })
}
