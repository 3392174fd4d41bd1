import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { filesBelow, workspaceFiles } from '../architecture/sources.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'].map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
  })),
  ...filesBelow('docs', '.md'),
  ...workspaceFiles('README.md'),
].map(({ path, text }) => ({ path, prose: text.replaceAll(/^```.*?^```/gms, '') }))

const isFromRoot = (name: string) => /^(packages|apps|docs|scripts|deploy)\//.test(name)
const isThere = (path: string) => existsSync(join(root, path))

/** Texts in backticks, in their order. */
function spansOf(prose: string): readonly string[] {
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
}

/** `a/{b,c}.ts` is two paths. A name with a placeholder (`*`, `<x>`, `{x}`, `...`) or a space is none. */
function pathsOf(span: string): readonly string[] {
  const braces = /\{([^{}]*,[^{}]*)\}/.exec(span)
  if (braces === null) return /[*<>{} ]|\.\.\./.test(span) ? [] : [span]
  return (braces[1] ?? '').split(',').flatMap((part) => pathsOf(span.replace(braces[0], part)))
}

/** The files that a document names without their folder, each with the paths at which a reader looks for it. */
function shortNames(path: string, prose: string): readonly { name: string; at: readonly string[] }[] {
  const home = /^((packages|apps)\/[^/]+|deploy)/.exec(path)?.[0]
  // A document outside of a package names the folder first: "below `apps/api/test`: `jobs/jobs.test.ts`".
  let below = ''
  return spansOf(prose).flatMap((span) => {
    if (isFromRoot(span) && !/\.\w+$/.test(span)) below = span
    if (isFromRoot(span) || !/^[\w/-]+(\.test)?\.ts$/.test(span)) return []
    const folders = home === undefined ? [below] : [`${home}/src`, `${home}/test`, home]
    return [{ name: span, at: folders.map((folder) => `${folder}/${span}`) }]
  })
}

describe('the documents', () => {
  it('name paths that exist', () => {
    const named = documents.flatMap(({ path, prose }) =>
      spansOf(prose)
        .flatMap(pathsOf)
        .filter(isFromRoot)
        .map((name) => ({ path, name })),
    )

    expect(named.length).toBeGreaterThan(100)
    expect(named.filter(({ name }) => !isThere(name))).toEqual([])
  })

  it('name files of a folder that are in that folder', () => {
    const named = documents.flatMap(({ path, prose }) => shortNames(path, prose).map((short) => ({ path, ...short })))

    expect(named.length).toBeGreaterThan(100)
    expect(named.filter(({ at }) => !at.some(isThere))).toEqual([])
  })

  it('link to files that exist', () => {
    const links = documents.flatMap(({ path, prose }) =>
      [...prose.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => ({ path, target })),
    )
    const local = links.filter(({ target }) => !/^https?:/.test(target))

    expect(local.length).toBeGreaterThan(20)
    expect(local.filter(({ path, target }) => !isThere(join(dirname(path), target)))).toEqual([])
  })
})
