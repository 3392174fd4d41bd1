import { posix } from 'node:path'
import type { SourceFile } from './sources.ts'

/** Which files of the tree a file imports, types included. */
export type Imports = ReadonlyMap<string, readonly string[]>

/** The relative imports of each file, as paths like those of the files. */
export function importsOf(files: readonly SourceFile[]): Imports {
  return new Map(
    files.map(({ path, text }) => [
      path,
      [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
        posix.join(posix.dirname(path), match[1] ?? ''),
      ),
    ]),
  )
}

/** The files that import themselves through others, or stand between two such circles. Empty when there is no circle. */
export function filesOnCircles(imports: Imports): readonly string[] {
  let left = [...imports.keys()]
  for (;;) {
    const imported = new Set(left.flatMap((path) => imports.get(path) ?? []))
    const next = left.filter(
      (path) => imported.has(path) && (imports.get(path) ?? []).some((target) => left.includes(target)),
    )
    if (next.length === left.length) return left
    left = next
  }
}

/** The room of a file: the first folder below `src`, or the file's own name when it stands in `src` itself. */
export function roomOf(path: string): { readonly home: string; readonly room: string } {
  const [, home = '', room = ''] = /^((?:packages|apps|deploy)\/[^/]+)\/src\/([^/]+?)(?:\.ts|\/.*)$/.exec(path) ?? []
  return { home, room }
}

/** Imports that point up: from a room to one that its package lists before it. A room that is not listed points nowhere. */
export function upwardImports(imports: Imports, order: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return [...imports].flatMap(([path, targets]) =>
    targets
      .filter((target) => {
        const { home, room } = roomOf(path)
        const rooms = order[home] ?? []
        return rooms.indexOf(roomOf(target).room) < rooms.indexOf(room)
      })
      .map((target) => `${path} imports ${target}`),
  )
}
