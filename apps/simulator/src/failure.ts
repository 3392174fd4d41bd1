import { toError } from '@muster/contract'

/** The message of an error, or of the errors behind it. */
export function messageOf(error: unknown): string {
  // A host with several addresses fails with one error for each address, inside an error with an empty message.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return toError(error).message
}
