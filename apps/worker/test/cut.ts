import { once } from 'node:events'
import { createServer, connect as dial } from 'node:net'

/** Stands between a process and Postgres. */
export interface Cut extends AsyncDisposable {
  readonly url: string
  /** Cuts the connection instead of passing on the answer to the next message that has this text in it. Postgres has done it then. */
  answerTo(text: string): void
}

export async function cutBefore(databaseUrl: string): Promise<Cut> {
  const { hostname, port } = new URL(databaseUrl)
  let wanted: string | null = null
  const server = createServer((client) => {
    const postgres = dial(Number(port), hostname)
    let isCut = false
    client.on('data', (data) => {
      if (wanted !== null && data.includes(wanted)) {
        wanted = null
        isCut = true
      }
      postgres.write(data)
    })
    postgres.on('data', (data) => (isCut ? client.destroy() : client.write(data)))
    for (const [one, other] of [
      [client, postgres],
      [postgres, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  const url = Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(address.port) }).href
  return {
    url,
    answerTo(text) {
      wanted = text
    },
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
