/** What the client library adds to each process and no file of `deploy` reads, by the question that somebody has who reads it by hand. */
const names = {
  'What keeps the event loop busy, or the process alive?': [
    'nodejs_active_handles',
    'nodejs_active_requests',
    'nodejs_active_resources',
  ],
  'How is the lag of the event loop spread?': [
    'nodejs_eventloop_lag_max_seconds',
    'nodejs_eventloop_lag_mean_seconds',
    'nodejs_eventloop_lag_min_seconds',
    'nodejs_eventloop_lag_p50_seconds',
    'nodejs_eventloop_lag_p90_seconds',
    'nodejs_eventloop_lag_seconds',
    'nodejs_eventloop_lag_stddev_seconds',
  ],
  'What takes the memory of the process?': [
    'nodejs_external_memory_bytes',
    'nodejs_heap_size_total_bytes',
    'nodejs_heap_size_used_bytes',
    'nodejs_heap_space_size_available_bytes',
    'nodejs_heap_space_size_total_bytes',
    'nodejs_heap_space_size_used_bytes',
    'process_heap_bytes',
    'process_virtual_memory_bytes',
  ],
  'Is it the collection of garbage that takes the time?': ['nodejs_gc_duration_seconds'],
  'Which version of Node.js runs?': ['nodejs_version_info'],
  'Is it the hub or the kernel that takes the time?': [
    'process_cpu_system_seconds_total',
    'process_cpu_user_seconds_total',
  ],
} as const

/** Name and question of each. */
export const nodeMetricsOnDemand: ReadonlyMap<string, string> = new Map(
  Object.entries(names).flatMap(([question, each]) => each.map((name) => [name, question] as const)),
)
