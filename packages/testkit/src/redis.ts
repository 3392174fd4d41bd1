import { randomUUID } from 'node:crypto'

/**
 * A key prefix that separates the hub of one test from the others on the same Redis. Numbered databases of Redis do not do this:
 * there are only 16, and publish and subscribe ignore them. In braces, like the prefix of the hub, for Redis Cluster.
 */
export function uniquePrefix(): string {
  return `{muster-test-${randomUUID()}}`
}
