import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const hubFileSchema = z.object({
  connectionString: z.string(),
  httpsPort: z.number(),
  mqttsPort: z.number(),
  caFile: z.string(),
  /** Only of a Postgres that the hub started. Whoever gave it another one knows the address. */
  databaseUrl: z.string().optional(),
})

/** The content of the `hub.json` of a running hub. */
export type HubFile = z.infer<typeof hubFileSchema>

/** Null when there is no such file: no hub runs there. Throws when it cannot be read, or is not of this form. */
export async function readHubFile(path: string): Promise<HubFile | null> {
  try {
    return hubFileSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new Error(`${path} does not describe a running hub: start the hub again`, { cause })
  }
}
