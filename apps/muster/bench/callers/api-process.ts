import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Config } from '@muster/runtime'

/** An API in a process of its own, so that its processor time is its own. */
interface ApiProcess extends AsyncDisposable {
  readonly httpPort: number
  /** Seconds of processor time so far. */
  cpuSeconds(): Promise<number>
}

export async function startApiProcess({ databaseUrl, redisUrl, dataDir }: Config): Promise<ApiProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../bin/muster.mjs', import.meta.url)), 'api'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl ?? '',
      REDIS_URL: redisUrl ?? '',
      MUSTER_DATA_DIR: dataDir,
      MUSTER_HTTPS_PORT: '0',
      MUSTER_HTTP_PORT: '0',
      MUSTER_LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const ended = once(child, 'exit')
  const httpPort = await new Promise<number>((resolve, reject) => {
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (log.length < 100_000) log += text
      const started = log.split('\n').find((line) => line.includes('"event":"hubStarted"') && line.endsWith('}'))
      if (started !== undefined) resolve(JSON.parse(started).http)
    })
    void ended.then(() => reject(new Error(`the API has ended:\n${log}`)))
  })
  return {
    httpPort,
    async cpuSeconds() {
      const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text()
      return Number(/^process_cpu_seconds_total ([\d.e+-]+)$/m.exec(metrics)?.[1])
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
