import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { extractDebianProgram } from '@muster/local-services'

/** A program, and the environment in which it runs. */
interface Tool {
  readonly file: string
  /** Undefined: that of this process. */
  readonly env: NodeJS.ProcessEnv | undefined
}

/** The Debian package of each, which is named after its main program. */
const packages = { promtool: 'prometheus', prometheus: 'prometheus', amtool: 'prometheus-alertmanager' } as const

/**
 * The one on the PATH, else a copy of Debian's package.
 * @throws Error that says what is missing: without it nobody knows whether the rules are right
 */
export async function findTool(name: keyof typeof packages): Promise<Tool> {
  if (await runs(name)) return { file: name, env: undefined }
  const main = packages[name]
  const copy = await extractDebianProgram({ name: main, package: main, path: `usr/bin/${main}` }, undefined)
  if (copy !== undefined) {
    const file = join(dirname(copy.file), 'usr', 'bin', name)
    if (await runs(file, copy.env)) return { file, env: copy.env }
  }
  throw new Error(`${name} is needed; expected it on the PATH, or Debian's package ${packages[name]}`)
}

async function runs(file: string, env?: NodeJS.ProcessEnv): Promise<boolean> {
  return promisify(execFile)(file, ['--version'], { env }).then(
    () => true,
    () => false,
  )
}
