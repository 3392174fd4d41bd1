import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { extractDebianProgram } from '@muster/local-services'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './compose-file.ts'

const run = promisify(execFile)
const configFile = join(root, 'deploy', 'compose', 'haproxy.cfg')

const haproxy = await findHaproxy()
if (haproxy === undefined)
  process.stderr.write('skipped: the configuration of HAProxy: there is no haproxy on this system\n')

describe.skipIf(haproxy === undefined)('the configuration of the balancer', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-haproxy-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const complaints = async (file: string) => {
    if (haproxy === undefined) return 'no haproxy'
    // -dW: a warning counts as an error.
    return run(haproxy.file, ['-c', '-dW', '-f', file], { env: haproxy.env }).then(
      () => null,
      ({ stdout, stderr }) => `${stdout}${stderr}`,
    )
  }

  it('is one that HAProxy takes without a warning', async () => {
    expect(await complaints(configFile)).toBeNull()
  })

  it('is refused with a word that HAProxy does not know', async () => {
    const wrong = join(folder, 'haproxy.cfg')
    await writeFile(wrong, (await readFile(configFile, 'utf8')).replace('balance leastconn', 'balance leastcon'))

    expect(await complaints(wrong)).toContain('leastcon')
  })
})

/** The haproxy of the system, else a private copy of its package. */
async function findHaproxy(): Promise<{ file: string; env: NodeJS.ProcessEnv } | undefined> {
  if (spawnSync('haproxy', ['-v']).status === 0) return { file: 'haproxy', env: process.env }
  const program = { name: 'haproxy', package: 'haproxy', path: 'usr/sbin/haproxy' }
  return extractDebianProgram(program, undefined).catch(() => undefined)
}
