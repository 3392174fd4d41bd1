import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const names = z.record(z.string(), z.string()).optional()
const entry = z.object({
  resolved: z.string().optional(),
  link: z.boolean().optional(),
  dependencies: names,
  devDependencies: names,
  optionalDependencies: names,
})
type Packages = Readonly<Record<string, z.output<typeof entry>>>

const text = readFileSync(fileURLToPath(new URL('../../../../package-lock.json', import.meta.url)), 'utf8')
const { packages } = z.object({ packages: z.record(z.string(), entry) }).parse(JSON.parse(text))

/** What a package of the lock asks for and the lock lacks, as `npm ci` looks for it: in its own folder, then in those above. */
function missingFrom(lock: Packages): readonly string[] {
  return Object.entries(lock).flatMap(([path, { dependencies, devDependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter((name) => !foldersAbove(path).some((folder) => posix.join(folder, 'node_modules', name) in lock))
      .map((name) => `${path} asks for ${name}`),
  )
}

function foldersAbove(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/')).concat('')
}

describe('the lock', () => {
  it('is complete for every platform: "npm run lock" makes it anew', () => {
    expect(missingFrom(packages)).toEqual([])
  })

  it('names no registry: everyone installs from their own', () => {
    expect(Object.values(packages).filter(({ resolved, link }) => resolved !== undefined && link !== true)).toEqual([])
  })

  it('is found incomplete when the binary of another platform is left out', () => {
    const { 'node_modules/@biomejs/cli-win32-x64': binary, ...others } = packages

    expect(binary).toBeDefined()
    expect(missingFrom(others)).toEqual(['node_modules/@biomejs/biome asks for @biomejs/cli-win32-x64'])
  })
})
