import { type Context, ROOT_CONTEXT, type Span as SdkSpan, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { ExportResultCode, parseTraceParent } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { ATTR_ERROR_TYPE, ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import pTimeout from 'p-timeout'
import type { Config } from '../config/config.ts'
import type { OpenTracing, Span } from './tracing.ts'

interface ExportOptions {
  readonly service: string
  readonly version: string
  readonly instance: string
  readonly clock: { now(): Date }
  readonly onLoss: (error: unknown) => void
}

/** Spans wait for at most so long. */
const exportEveryMs = 2_000
const exportMs = 5_000
/** More that wait are dropped: a collector that is away costs no memory. */
const mostWaiting = 4_096
const closeMs = 2_000

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const

/** Registers nothing with the globals of OpenTelemetry: several hubs in one process keep their spans apart. */
export function exportSpans(
  { endpoint, headers, ratio }: NonNullable<Config['tracing']>,
  { service, version, instance, clock, onLoss }: ExportOptions,
): OpenTracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: exportMs,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: service,
      [ATTR_SERVICE_VERSION]: version,
      'service.namespace': 'muster',
      'service.instance.id': instance,
    }),
    // Whoever begins a trace decides whether it is kept, and the others follow.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: reporting(exporter, onLoss),
        scheduledDelayMillis: exportEveryMs,
        exportTimeoutMillis: exportMs,
        maxQueueSize: mostWaiting,
      }),
    ],
  })
  const tracer = provider.getTracer('muster', version)

  return {
    begin(name, { kind, parent, startedAt = clock.now(), attributes = {} }) {
      const span = tracer.startSpan(name, { kind: kinds[kind], startTime: startedAt, attributes }, contextOf(parent))
      return asSpan(span, clock)
    },
    async close() {
      await pTimeout(provider.shutdown(), { milliseconds: closeMs }).catch(onLoss)
    },
  }
}

function asSpan(span: SdkSpan, clock: { now(): Date }): Span {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return {
    traceId,
    traceparent: `00-${traceId}-${spanId}-0${traceFlags & 1}`,
    rename: (name) => void span.updateName(name),
    note: (attributes) => void span.setAttributes(attributes),
    linkTo(traceparent) {
      const context = traceparent === null ? null : parseTraceParent(traceparent)
      if (context !== null) span.addLink({ context })
    },
    end(failed) {
      if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute(ATTR_ERROR_TYPE, failed)
      span.end(clock.now())
    },
  }
}

/** What is no traceparent, as a client may send it, begins a trace. */
function contextOf(parent: string | null): Context {
  const context = parent === null ? null : parseTraceParent(parent)
  return context === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...context, isRemote: true })
}

/** The processor tells nobody what the collector did not take. */
function reporting(exporter: SpanExporter, onLoss: (error: unknown) => void): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.FAILED) onLoss(result.error)
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  }
}
