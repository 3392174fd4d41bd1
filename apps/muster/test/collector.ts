import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { z } from 'zod'

/** A span as a process has sent it. */
export interface SentSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Null: it begins its trace. */
  readonly parentId: string | null
  /** The ids of the traces that it is linked to. */
  readonly linkedTo: readonly string[]
  readonly attributes: ReadonlyMap<string, unknown>
  readonly startNs: bigint
  readonly endNs: bigint
}

/** A collector of traces in this process. */
export interface Collector extends AsyncDisposable {
  readonly endpoint: string
  /** In the order in which they came. */
  readonly spans: readonly SentSpan[]
}

const attributes = z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }))

const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              name: z.string(),
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes: attributes.default([]),
              links: z.array(z.object({ traceId: z.string() })).default([]),
            }),
          ),
        }),
      ),
    }),
  ),
})

/** Takes OTLP over HTTP, as JSON, at `/v1/traces`. */
export async function startCollector(): Promise<Collector> {
  const spans: SentSpan[] = []
  const server = createServer(async (request, response) => {
    if (request.url === '/v1/traces') spans.push(...read(await text(request)))
    response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' }).end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function read(body: string): SentSpan[] {
  return exported.parse(JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(mapOf(resource.attributes).get('service.name'))
    return scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        service,
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId ?? null,
        linkedTo: span.links.map(({ traceId }) => traceId),
        attributes: mapOf(span.attributes),
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
      })),
    )
  })
}

function mapOf(pairs: z.output<typeof attributes>): ReadonlyMap<string, unknown> {
  return new Map(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
}

/** A line for each span of the trace, below the one that led to it, in the order of their names. */
export function treeOf(spans: readonly SentSpan[], traceId: string): string[] {
  const own = spans.filter((span) => span.traceId === traceId)
  const below = (parentId: string | null, indent: string): string[] =>
    own
      .filter((span) => span.parentId === parentId)
      .toSorted((one, other) => one.name.localeCompare(other.name))
      .flatMap(({ service, name, spanId }) => [`${indent}${name} (${service})`, ...below(spanId, `${indent}  `)])
  return below(null, '')
}
