import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Client, createClient } from '../src/index.ts'

/** A server that answers as a test wants it to, for what no hub can be made to do, and a client of it. */
export interface Answering extends AsyncDisposable {
  readonly client: Client
  readonly requests: readonly IncomingMessage[]
}

/** `answer` gets the number of the request, from 0. */
export async function startAnswering(
  answer: (response: ServerResponse, index: number) => void,
  options: { readonly timeoutMs?: number } = {},
): Promise<Answering> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request.resume())
    answer(response, requests.length - 1)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    client: createClient({ url: `http://127.0.0.1:${port}`, token: 'secret', ...options }),
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
