import { readFile } from 'node:fs/promises'

export interface OsRelease {
  /** The system and those it is derived from, as os-release(5) names them: ['ubuntu', 'debian']; ['darwin'] */
  readonly families: readonly string[]
  /** '12'; empty where there is none */
  readonly version: string
}

export async function readOsRelease(): Promise<OsRelease> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => `ID=${process.platform}`)
  const field = (name: string) => text.match(new RegExp(`^${name}="?([^"\\n]*)`, 'm'))?.[1] ?? ''
  return { families: `${field('ID')} ${field('ID_LIKE')}`.trim().split(/\s+/), version: field('VERSION_ID') }
}
