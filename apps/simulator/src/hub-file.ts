import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const hubFileSchema = z.object({
  connectionString: z.string(),
  httpsPort: z.number(),
  mqttsPort: z.number(),
  caFile: z.string(),
})

/** The content of the `hub.json` of a running hub. */
export type HubFile = z.infer<typeof hubFileSchema>

/** Null when there is no such file: no hub runs there. */
export async function readHubFile(path: string): Promise<HubFile | null> {
  try {
    return hubFileSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new Error(`${path} does not describe a running hub; start the hub again, or give --connection-string`, {
      cause,
    })
  }
}
