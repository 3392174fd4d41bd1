/** What somebody waits for: from 5 ms to the longest wait of a direct method. */
export const waitSeconds = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const

/** Lags that have an objective of 2 s, which is one of the bounds. */
export const lagSeconds = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300] as const

/** Statements and other short work: most take about a millisecond. */
export const shortSeconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10] as const

/** A job: from a moment to a day. The longest window is 30 days, and few jobs need it. */
export const jobSeconds = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400] as const

/** Rows of a statement that writes many together. */
export const setSizes = [1, 3, 10, 30, 100, 300, 1_000] as const
