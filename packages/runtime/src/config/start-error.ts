/** The program cannot start as it is configured. The message is one line for the operator: what, which, and what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
