import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { type Document, titleOf } from './documents.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Groups that are not of Kubernetes itself, and the packages with their schemas. */
const packages: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'cert-manager.io': '@kubernetes-models/cert-manager',
}

/**
 * What the schemas say against the documents. Their validators find wrong values and missing fields; they pass over fields that nobody
 * knows. The types of the same packages know all fields, so the compiler finds the others.
 */
export async function schemaComplaints(documents: readonly Document[]): Promise<readonly string[]> {
  const distinct = [...new Map(documents.map((each) => [JSON.stringify(each), each])).values()]
  const values = await Promise.all(distinct.map(valueComplaints))
  return [...values.flat(), ...(await fieldComplaints(distinct))]
}

function moduleOf({ apiVersion, kind }: Document): string {
  const [group = ''] = apiVersion.split('/')
  return `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`
}

interface Model {
  validate(): void
}

async function valueComplaints(document: Document): Promise<readonly string[]> {
  const found: unknown = await import(/* @vite-ignore */ moduleOf(document)).catch(() => null)
  const isModel = (value: unknown): value is new (given: Document) => Model => typeof value === 'function'
  const Model = z.record(z.string(), z.unknown()).safeParse({ ...(found ?? {}) }).data?.[document.kind]
  if (!isModel(Model)) return [`${titleOf(document)}: no schema of ${document.apiVersion} is known`]
  try {
    new Model(document).validate()
    return []
  } catch (error) {
    return [`${titleOf(document)}: ${error instanceof Error ? error.message : error}`]
  }
}

/** Each document as a literal of its type, in a file of its own. */
async function fieldComplaints(documents: readonly Document[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-manifests-'))
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    await Promise.all(documents.map((each, index) => writeFile(join(folder, `${index}.ts`), literalOf(each))))
    const output = await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder, '--pretty', 'false'])
    const found = output.matchAll(/^(?:.*\/)?(\d+)\.ts\((\d+),\d+\): error TS\d+: (.*(?:\n\s+.*)*)/gm)
    const complaints = [...found].map(async ([, index = '', line = '', message = '']) => {
      const text = await readFile(join(folder, `${index}.ts`), 'utf8')
      const document = documents[Number(index)]
      const title = document === undefined ? 'unknown' : titleOf(document)
      // A quoted name is one that JSON has quoted.
      const said = message.replaceAll(/\s+/g, ' ').replaceAll(/'"(\w+)"'/g, "'$1'")
      return `${title}: ${said} at ${text.split('\n')[Number(line) - 1]?.trim()}`
    })
    if (output !== '' && complaints.length === 0) return [output]
    return await Promise.all(complaints)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, module: 'nodenext', types: [] }

function literalOf(document: Document): string {
  return [
    `import type { I${document.kind} } from '${moduleOf(document)}'`,
    `export const document: I${document.kind} = ${JSON.stringify(document, null, 2)}`,
    '',
  ].join('\n')
}

async function run(file: string, args: readonly string[]): Promise<string> {
  const failed = z.object({ stdout: z.string() })
  return promisify(execFile)(file, args, { maxBuffer: 16 * 1024 * 1024 }).then(
    ({ stdout }) => stdout,
    (error) => failed.parse(error).stdout,
  )
}
