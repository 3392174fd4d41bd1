/** Work with a beginning and an end, as a part of a trace. Where nothing is traced it does nothing. */
export interface Span {
  /** 32 hex digits, for the log. Undefined where nothing is traced; a line of the log then lacks it. */
  readonly traceId: string | undefined
  /** What makes a span of another process a child of this one. Null where nothing is traced. */
  readonly traceparent: Traceparent | null
  rename(name: string): void
  note(attributes: Attributes): void
  /** This span belongs to the other one, which is in a trace of its own. */
  linkTo(traceparent: Traceparent | null): void
  /** Called once. `failed`: the name of an error. */
  end(failed?: string): void
}

/**
 * The value of the W3C header `traceparent`: the ids of a trace and of a span, and whether the trace is kept.
 * https://www.w3.org/TR/trace-context
 */
export type Traceparent = string

type Attributes = Readonly<Record<string, string | number>>

interface SpanOptions {
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  /** The span that led to this one. Null: this one begins a trace. */
  readonly parent: Traceparent | null
  /** The hub's time. Absent: now. */
  readonly startedAt?: Date
  readonly attributes?: Attributes
}

/** Makes the spans of this process. They have the hub's time, so that those of several machines fit together. */
export interface Tracing {
  begin(name: string, options: SpanOptions): Span
}

export interface OpenTracing extends Tracing {
  /** Sends what is left, and gives that up after two seconds. */
  close(): Promise<void>
}

const noSpan: Span = {
  traceId: undefined,
  traceparent: null,
  rename() {},
  note() {},
  linkTo() {},
  end() {},
}

/** Nothing is traced. */
export const noTracing: Tracing = { begin: () => noSpan }

/** Undefined where nothing was traced. */
export function traceIdOf(traceparent: Traceparent | null): string | undefined {
  return traceparent?.split('-')[1]
}
