/** The numbers of the ScaledObject of the workers. */
export const keda = {
  pollingSeconds: 15,
  minReplicas: 1,
  maxReplicas: 20,
  fallback: { failureThreshold: 3, replicas: 2 },
  scaleUp: { percent: 100, pods: 4, periodSeconds: 15 },
  scaleDown: { stabilizationSeconds: 300, pods: 1, periodSeconds: 60 },
} as const

/** Without a setting of its own, the autoscaler of Kubernetes leaves a difference of so much alone. */
const tolerance = 0.1

/**
 * What KEDA and the autoscaler of Kubernetes make of the answers of a metrics API, one at each step of 15 s; null is an error. Each target
 * is one, so a value is the number of replicas that are wanted.
 *
 * KEDA hands each value on as an external metric with an average value: https://keda.sh/docs/2.18/scalers/metrics-api. After more
 * errors in a row than its threshold it hands on its fallback instead, with `currentReplicasIfHigher` the current number if that is
 * higher: https://keda.sh/docs/2.18/reference/scaledobject-spec/#fallback. Kubernetes rounds up, and keeps to its tolerance, to the
 * highest recommendation of the stabilisation window, and then to the policies; an error changes nothing:
 * https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details, and
 * pkg/controller/podautoscaler/{horizontal,replica_calculator}.go of kubernetes/kubernetes.
 */
export function createAutoscaler(): (answer: number | null, atSeconds: number) => number {
  let replicas: number = keda.minReplicas
  let failures = 0
  let recommended: { readonly at: number; readonly count: number }[] = []
  let changes: { readonly at: number; readonly count: number }[] = []

  const changedSince = (at: number) =>
    changes.filter((change) => change.at > at).reduce((sum, { count }) => sum + count, 0)

  return (answer, at) => {
    failures = answer === null ? failures + 1 : 0
    const value = failures > keda.fallback.failureThreshold ? Math.max(replicas, keda.fallback.replicas) : answer
    if (value === null) return replicas

    const isNear = Math.abs(1 - value / replicas) <= tolerance
    const wanted = isNear ? replicas : Math.ceil(value)
    recommended = [...recommended, { at, count: wanted }].filter(
      (one) => one.at > at - keda.scaleDown.stabilizationSeconds,
    )
    const highest = Math.max(...recommended.map(({ count }) => count))
    const stable = wanted > replicas ? wanted : Math.min(replicas, highest)

    const before = replicas - changedSince(at - keda.scaleUp.periodSeconds)
    const most = Math.max(before * (1 + keda.scaleUp.percent / 100), before + keda.scaleUp.pods)
    const fewest = replicas - changedSince(at - keda.scaleDown.periodSeconds) - keda.scaleDown.pods
    const within =
      stable > replicas ? Math.min(stable, Math.max(most, replicas)) : Math.max(stable, Math.min(fewest, replicas))
    const next = Math.min(keda.maxReplicas, Math.max(keda.minReplicas, within))
    if (next !== replicas) changes = [...changes, { at, count: next - replicas }].slice(-20)
    replicas = next
    return replicas
  }
}
