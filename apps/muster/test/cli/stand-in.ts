import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { TestHub } from '../hub.ts'
import { type Muster, openMuster } from './muster.ts'

/** The program, and a server that it takes for its hub, for what no hub can be made to do. */
interface StandIn extends AsyncDisposable {
  readonly muster: Muster
}

export async function openStandIn({ connectionString }: TestHub, answer: RequestListener): Promise<StandIn> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const muster = await openMuster(null)
  await muster.run(['context', 'set', 'stand-in', '--login', connectionString, '--url', url])
  return {
    muster,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await muster[Symbol.asyncDispose]()
    },
  }
}
