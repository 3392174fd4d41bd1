import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The lines of the file that a server keeps in its cluster while it runs, its process id first. Empty without such a file. */
export async function postmasterPidFile(cluster: string): Promise<string[]> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  return text.split('\n')
}
