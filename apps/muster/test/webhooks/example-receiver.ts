import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually } from '@muster/testkit'

const program = fileURLToPath(new URL('../../../../examples/webhook-receiver/receiver.mjs', import.meta.url))

interface ExampleReceiver extends AsyncDisposable {
  readonly url: string
  /** What it has printed so far, line by line. */
  lines(): readonly string[]
}

/** The receiver of the examples, as a process. */
export async function startExampleReceiver(secret: string): Promise<ExampleReceiver> {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [program], {
    env: { PATH, PORT: '0', WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const port = await eventually(() => {
    const [, port] = /^listening on (\d+)$/m.exec(printed) ?? []
    if (port === undefined) throw new Error('the receiver does not listen yet')
    return port
  })
  return {
    url: `http://127.0.0.1:${port}/`,
    lines: () => printed.split('\n').filter((line) => line !== ''),
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
