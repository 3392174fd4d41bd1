import { startHub, type TestHub } from '../hub.ts'
import { redirectSdks } from './redirect.ts'

/** A hub of its own for a test file, which the SDKs find where they look for one. */
export async function startSdkHub(settings: Readonly<Record<string, string>> = {}): Promise<TestHub> {
  const hub = await startHub({ settings })
  const restore = redirectSdks(hub)
  return {
    ...hub,
    async [Symbol.asyncDispose]() {
      restore()
      await hub[Symbol.asyncDispose]()
    },
  }
}
