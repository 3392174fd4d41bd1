import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Document, manifests, parseDocuments, renderWith } from './documents.ts'
import { findKustomize, type Render } from './kustomize.ts'

const overlays = readdirSync(join(manifests, 'overlays'))
const components = readdirSync(join(manifests, 'components'))

/** The base, every overlay, and every component with the base. */
export const renderedNames: readonly string[] = [
  'base',
  ...overlays.map((name) => `overlays/${name}`),
  ...components.map((name) => `components/${name}`),
]

/** The documents of each, by its name; or why they cannot be rendered on this machine. */
export type Rendered = ReadonlyMap<string, readonly Document[]> | { readonly absent: string }

/** Says on standard error, too, why nothing can be rendered. */
export async function renderAll(): Promise<Rendered> {
  const render = await findKustomize()
  if ('absent' in render) {
    // The title of a skipped test is not shown everywhere.
    process.stderr.write(`skipped: the manifests for Kubernetes: ${render.absent}\n`)
    return render
  }
  const texts = await Promise.all(renderedNames.map((name) => textOf(render, name)))
  return new Map(renderedNames.map((name, index) => [name, parseDocuments(texts[index] ?? '')]))
}

export function documentsOf(rendered: Rendered, name: string): readonly Document[] {
  return 'absent' in rendered ? [] : (rendered.get(name) ?? [])
}

function textOf(render: Render, name: string): Promise<string> {
  const [home, component = ''] = name.split('/')
  return home === 'components' ? renderWith(render, component) : render(join(manifests, name))
}
