/** Constants that the protocol fixes. A kilobyte has 1024 bytes. A name ends in its unit, unless it is a count. */
export const limits = {
  deviceIdLength: 128,
  jobIdLength: 64,
  /** A service request's body. Larger: 413 MessageTooLarge. */
  requestBodyBytes: 1024 * 1024,
  /** The same for a body with `deviceIds`: 15 MiB for 100,000 ids of 128 characters, also indented, and 1 MiB for the rest. */
  jobBodyBytes: 16 * 1024 * 1024,
  /** The same for a bulk request: 100 entries with full tags and desired properties, and as much again for everything else. */
  bulkBodyBytes: 8 * 1024 * 1024,

  /** Nesting of arrays and objects in any JSON that comes in. Later code recurses over it and must not overflow the stack. */
  jsonDepth: 64,
  /** Arrays, objects and members in a request body. To build so many takes about a second. 1 MiB never has more. */
  jsonParts: 512 * 1024,

  /** Characters of a query, or of the condition of a job with the words before it. */
  queryLength: 8192,
  /** An explicit `deviceIds` list of a job. */
  targetDeviceIds: 100_000,
  pageSizeDefault: 100,
  pageSizeMax: 1000,
  bulkDevices: 100,
  modulesPerDevice: 50,

  jobWindowSecondsDefault: 3600,
  jobWindowSecondsMax: 30 * 24 * 3600,
  jobStartAheadSeconds: 30 * 24 * 3600,

  schedules: 1000,
  /** Its jobs have its id, and the time of their run behind it: 17 characters. */
  scheduleIdLength: 46,
  scheduleEverySecondsMin: 60,
  scheduleEverySecondsMax: 366 * 24 * 3600,
  /** How far ahead a schedule may start and end. */
  scheduleAheadSeconds: 10 * 366 * 24 * 3600,

  webhooks: 100,
  webhookUrlLength: 2048,
  webhookSecretLengthMin: 16,
  webhookSecretLengthMax: 256,

  methodNameLength: 128,
  methodPayloadBytes: 128 * 1024,
  responseTimeoutSecondsDefault: 30,
  responseTimeoutSecondsMin: 5,
  timeoutSecondsMax: 300,
  /** Direct methods in flight on one device at a time. */
  methodsInFlight: 10,

  tagsBytes: 8 * 1024,
  propertiesBytes: 32 * 1024,
  propertyValueBytes: 4 * 1024,
  propertyKeyBytes: 1024,
  propertyDepth: 10,
  integerMin: -4_503_599_627_370_496,
  integerMax: 4_503_599_627_370_495,

  /** Largest packet a device may send; larger closes the connection. */
  mqttPacketBytes: 272 * 1024,
  topicFilters: 5,
  keepAliveSecondsMax: 1767,
} as const
