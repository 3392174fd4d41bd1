import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { extractDebianProgram } from '@muster/local-services'

/** Renders a folder with a kustomization.yaml. Throws with what kustomize says of a wrong one. */
export type Render = (folder: string) => Promise<string>

const run = promisify(execFile)

/** By the `kubectl` or the `kustomize` on the PATH, else by a private copy of Debian's package; or why there is none. */
export async function findKustomize(): Promise<Render | { readonly absent: string }> {
  if (await runs('kubectl', 'kustomize', '--help')) return rendering('kubectl', 'kustomize')
  if (await runs('kustomize', 'version')) return rendering('kustomize', 'build')
  try {
    // The first release that has a package of its own for it.
    const program = { name: 'kustomize', package: 'kustomize', path: 'usr/bin/kustomize', release: 'trixie' }
    const copy = await extractDebianProgram(program, undefined)
    if (copy === undefined) return { absent: 'neither kubectl nor kustomize is on the PATH, and this is no Debian' }
    return rendering(copy.file, 'build')
  } catch (error) {
    return { absent: `neither kubectl nor kustomize is on the PATH, and no package could be had: ${error}` }
  }
}

async function runs(file: string, ...args: readonly string[]): Promise<boolean> {
  return run(file, args).then(
    () => true,
    () => false,
  )
}

function rendering(file: string, command: string): Render {
  return async (folder) => (await run(file, [command, folder], { timeout: 60_000 })).stdout
}
