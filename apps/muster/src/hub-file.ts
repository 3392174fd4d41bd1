import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, StartError } from '@muster/runtime'
import type { HubFile } from '@muster/simulator'

export function hubFilePath(dataDir: string): string {
  return join(dataDir, 'hub.json')
}

/**
 * Leaves word in the data folder of the hub that runs here, for the tools on this machine. It holds a key: only its owner may
 * read it. Throws StartError when it cannot be written.
 */
export async function writeHubFile(
  dataDir: string,
  hub: HubFile & { readonly pid: number; readonly hostname: string; readonly httpPort: number },
): Promise<void> {
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

export async function removeHubFile(dataDir: string): Promise<void> {
  await rm(hubFilePath(dataDir), { force: true })
}
