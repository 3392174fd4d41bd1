import { HubError, limits } from '@muster/contract'
import type { HonoRequest, MiddlewareHandler } from 'hono'
import pLimit, { type LimitFunction } from 'p-limit'
import type { ApiEnv } from './endpoint.ts'

/** Bounds the large bodies that the process serves at a time. One may take 100 MB of memory until it is in the store. */
export function limitLargeBodies(): LimitFunction {
  return pLimit(4)
}

/**
 * Reads the body of a request, with any content type, with a length or in chunks. A large body waits for its turn, unread. The front
 * bounds that wait, because it cuts requests that take too long.
 * @throws HubError MessageTooLarge, before the first byte when the length says so; GenericBadRequest when the body breaks off
 */
export function receiveBody(bytesMax: number, largeBodies: LimitFunction): MiddlewareHandler<ApiEnv> {
  return async function receiveRequestBody(c, next) {
    const announced = c.req.header('content-length')
    if (Number(announced) > bytesMax) throw tooLarge(bytesMax)
    const serve = async () => {
      c.set('body', announced === undefined ? await collect(c.req, bytesMax) : await readWhole(c.req))
      await next()
    }
    const mayBeLarge = Number(announced ?? bytesMax) > limits.requestBodyBytes
    await (mayBeLarge ? largeBodies(serve) : serve())
  }
}

function readWhole(req: HonoRequest): Promise<Uint8Array> {
  return receive(async () => new Uint8Array(await req.arrayBuffer()))
}

/** hono's own limit for bodies does not work here: it makes a new request from that of the adapter, which Node refuses. */
function collect({ raw: { body } }: HonoRequest, bytesMax: number): Promise<Uint8Array> {
  return receive(async () => {
    const pieces: Uint8Array[] = []
    let bytes = 0
    // To cancel the stream would close the connection before the caller has the answer.
    for await (const piece of body?.values({ preventCancel: true }) ?? []) {
      bytes += piece.byteLength
      if (bytes > bytesMax) throw tooLarge(bytesMax)
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  })
}

async function receive(read: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    // A caller that has hung up must not look like a lost connection to Postgres or Redis.
    throw new HubError('GenericBadRequest', { message: 'the body broke off before its end; send it again', cause })
  }
}

function tooLarge(bytesMax: number): HubError {
  return new HubError('MessageTooLarge', {
    message: `the body is over ${bytesMax} bytes, the most that is accepted here`,
  })
}
