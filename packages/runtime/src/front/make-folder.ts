import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the folder with its parents when missing. The recursion of mkdir never ends below /proc, so it is for existing folders only. */
export async function makeFolder(path: string): Promise<void> {
  if (!existsSync(dirname(path))) await makeFolder(dirname(path))
  await mkdir(path).catch(async (error: unknown) => {
    if (!existsSync(path)) throw error
    await mkdir(path, { recursive: true })
  })
}
