/** What a caller of the SDKs learns of a call that fails. */
export interface Failure {
  /** The SDK's class of errors. */
  readonly name: string
  readonly message: string
  /** HTTP status of the answer; null when there was none. */
  readonly status: number | null
  /** The answer's body. */
  readonly body: string
}

/** @throws Error when the call succeeds. */
export async function failureOf(call: PromiseLike<unknown>): Promise<Failure> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => ({ error }),
  )
  if (outcome === null) throw new Error('the call succeeded')
  const { name, message, response, responseBody } = Object(outcome.error)
  return { name, message, status: response?.statusCode ?? null, body: String(responseBody ?? '') }
}
