import { randomUUID } from 'node:crypto'

/**
 * A key prefix that keeps one test's hub apart from the others on the same Redis. Not one of Redis' numbered databases: there
 * are 16 of them, and publish and subscribe go across them. In braces, as the hub's own, for Redis Cluster.
 */
export function uniquePrefix(): string {
  return `{muster-test-${randomUUID()}}`
}
