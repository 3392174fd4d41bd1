import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { workspaceFiles } from './sources.ts'

const manifest = z.object({ version: z.string() })
const ofRelease = versionIn(readFileSync(fileURLToPath(new URL('../../../../package.json', import.meta.url)), 'utf8'))

it('every package has the version of the release, so that any of them tells it', () => {
  const manifests = workspaceFiles('package.json')

  const others = manifests.filter(({ text }) => versionIn(text) !== ofRelease).map(({ path }) => path)

  expect(manifests.length).toBeGreaterThan(1)
  expect(others).toEqual([])
})

function versionIn(text: string): string {
  return manifest.parse(JSON.parse(text)).version
}
