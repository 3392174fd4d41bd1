import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findKustomize, type Render } from './kustomize.ts'

const found = await findKustomize()
const reason = 'absent' in found ? found.absent : null
// The title of a skipped test is not shown everywhere.
if (reason !== null) process.stderr.write(`skipped: kustomize: ${reason}\n`)

describe.skipIf(reason !== null)('kustomize', () => {
  const render = found as Render
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-kustomize-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('refuses a field that it does not know', async () => {
    await writeFile(join(folder, 'kustomization.yaml'), 'resource: [deployment.yaml]\n')

    await expect(render(folder)).rejects.toThrow(/unknown field .*resource/)
  })
})
