import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The lines that a server leaves in its cluster while it runs: its process id comes first. Empty where none has. */
export async function postmasterPidFile(cluster: string): Promise<string[]> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  return text.split('\n')
}
