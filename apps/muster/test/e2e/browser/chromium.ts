import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { eventually } from '@muster/testkit'

/** A page of a real browser. */
interface Page extends AsyncDisposable {
  /** What an expression gives there; of a promise, what it resolves with. */
  evaluate(expression: string): Promise<unknown>
}

/** Null: this machine has none. */
export function findChromium(): string | null {
  return ['chromium', 'chromium-browser', 'google-chrome'].find(runs) ?? null
}

function runs(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0
}

/** Opens a page. The browser is told what to do over its DevTools protocol, in messages that end with a zero byte. */
export async function openPage(program: string, url: string): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'muster-browser-'))
  const child = spawn(
    program,
    ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', `--user-data-dir=${profile}`],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  )
  const exited = once(child, 'exit')
  const [, , , input, output] = child.stdio
  if (!(input instanceof Writable) || !(output instanceof Readable)) throw new Error('the browser has no pipes')
  const send = sendOver(input, output)

  const { targetId } = await send('Target.createTarget', { url })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  const evaluate = async (expression: string) => {
    const call = { expression, awaitPromise: true, returnByValue: true }
    const { result, exceptionDetails } = await send('Runtime.evaluate', call, sessionId)
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return result.value
  }
  // The page before it goes away meanwhile.
  await eventually(
    async () => {
      const isThere = await evaluate(`location.href !== 'about:blank' && document.readyState === 'complete'`)
      if (isThere !== true) throw new Error(`${url} is not there`)
    },
    { timeoutMs: 20_000 },
  )
  return {
    evaluate,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON comes
type Send = (method: string, params: object, sessionId?: string) => Promise<any>

function sendOver(input: Writable, output: Readable): Send {
  const waiting = new Map<number, (message: { result?: object; error?: object }) => void>()
  let text = ''
  output.setEncoding('utf8').on('data', (piece: string) => {
    const messages = (text + piece).split('\0')
    text = messages.pop() ?? ''
    for (const message of messages.map((each) => JSON.parse(each))) waiting.get(message.id)?.(message)
  })
  let id = 0
  return (method, params, sessionId) =>
    new Promise((resolve, reject) => {
      id += 1
      waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${JSON.stringify(error)}`))
      })
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`)
    })
}
