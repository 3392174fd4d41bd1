/** The program cannot start with this configuration. The message is one line for the operator: what, which, and what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
