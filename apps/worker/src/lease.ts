/** A claim outlives its worker by at most this long. Renewed while the worker lives, however slow its devices are. */
export const leaseMs = 15_000
