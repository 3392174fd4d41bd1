import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files in the place of the secrets that a pod mounts, by their keys. Dispose removes them. */
export interface ExampleSecrets extends AsyncDisposable {
  readonly fileOf: Readonly<Record<string, string>>
}

const examples: Readonly<Record<string, string>> = {
  'database-url': 'postgres://muster:example@postgres:5432/muster',
  'redis-url': 'redis://:example@redis:6379',
  'operator-token': 'an-example-of-a-token',
}

export async function writeExampleSecrets(): Promise<ExampleSecrets> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-secrets-'))
  const files = Object.entries(examples).map(async ([key, text]) => {
    await writeFile(join(folder, key), text)
    return [key, join(folder, key)] as const
  })
  return {
    fileOf: Object.fromEntries(await Promise.all(files)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}
