import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import type { Render } from './kustomize.ts'

const labels = z.record(z.string(), z.string())

/** What every object of Kubernetes has, and all the rest of it. */
const document = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional(), labels: labels.optional() }),
})
export type Document = z.output<typeof document>

export const manifests = fileURLToPath(new URL('../../kubernetes/', import.meta.url))

/** The documents of a rendered text, in its order. Throws for what is no object of Kubernetes. */
export function parseDocuments(text: string): readonly Document[] {
  return parseAllDocuments(text).map((each) => document.parse(each.toJS()))
}

/** The base with a component, in the namespace that an overlay would give. */
export async function renderWith(render: Render, component: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-kustomize-'))
  const from = (path: string) => relative(folder, join(manifests, path))
  try {
    const kustomization = {
      namespace: 'muster',
      resources: [from('base')],
      components: [from(`components/${component}`)],
    }
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
    return await render(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** 'Deployment muster-api' */
export function titleOf({ kind, metadata }: Pick<Document, 'kind' | 'metadata'>): string {
  return `${kind} ${metadata.name}`
}
