import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** Every file below a folder whose name ends so, without what is installed or built. */
export function filesBelow(folder: string, ending: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** Those of every workspace. */
export function workspaceFiles(ending: string): SourceFile[] {
  return ['packages', 'apps', 'deploy'].flatMap((folder) => filesBelow(folder, ending))
}

/** What ships: the sources without their tests. */
export function productSources(): SourceFile[] {
  return workspaceFiles('.ts').filter(
    ({ path }) => /^(packages|apps|deploy)\/[^/]+\/src\//.test(path) && !path.endsWith('.test.ts'),
  )
}

/** The packages that a file imports: the name without a path inside it. */
export function importedPackages({ text }: SourceFile): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^'.][^']*)'/g)].map((match) => match[1] ?? '')
  return specifiers.map((specifier) =>
    specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/'),
  )
}
