import { z } from '@hono/zod-openapi'
import { deviceJobStatuses, extensionsSchema, jobEventKinds, type Vocabulary, vocabularyOf } from '@muster/contract'
import { described } from './described.ts'

/** The bodies of replies, for the document. The schemas that parse requests also describe them. */

const time = z.string().openapi({ format: 'date-time' })
const json = z.unknown().openapi({ description: 'Any JSON' })
const properties = z.record(z.string(), z.unknown())

export const errorSchema = z
  .object({
    Message: z
      .string()
      .openapi({ description: 'ErrorCode:<name>;<text>; for direct methods JSON with errorCode, message and info' }),
    ExceptionMessage: z.string().openapi({ description: 'The tracking id, as in the log' }),
  })
  .openapi('Error')

const count = z.int().min(0)

const later = vocabularyOf('2021-04-12')
const of2016 = vocabularyOf('2016-11-14')

/** A word of the wire: that of later api-versions, or that of 2016 where it is another one. */
function wordOf(wordsOf: (vocabulary: Vocabulary) => Readonly<Record<string, string>>) {
  const words = Object.values(wordsOf(later))
  const older = Object.values(wordsOf(of2016)).filter((word) => !words.includes(word))
  return z
    .string()
    .openapi({ enum: [...words, ...older], description: `Only with an api-version of 2016: ${older.join(', ')}` })
}

const jobType = wordOf((vocabulary) => vocabulary.type)
const jobStatus = wordOf((vocabulary) => vocabulary.status)

export const jobSchema = z
  .object({
    jobId: z.string(),
    type: jobType,
    status: jobStatus,
    createdTime: time,
    startTime: time,
    endTime: time.optional(),
    maxExecutionTimeInSeconds: z.int(),
    queryCondition: z.string(),
    updateTwin: properties.optional(),
    cloudToDeviceMethod: properties.optional(),
    ...described(extensionsSchema).shape,
    pausedTime: time.optional().openapi({ description: 'It is paused since then' }),
    pausedBy: z.string().optional(),
    pauseReason: z.string().optional(),
    parentJobId: z.string().optional().openapi({ description: 'The job that it reruns, while that has a history' }),
    childJobIds: z
      .string()
      .array()
      .optional()
      .openapi({ description: 'Its reruns, at most 100; not in a list of jobs' }),
    scheduleId: z.string().optional().openapi({ description: 'The schedule that has made it' }),
    failureReason: z.string().optional(),
    deviceJobStatistics: z
      .object({
        deviceCount: count,
        succeededCount: count,
        failedCount: count,
        runningCount: count,
        pendingCount: count,
        canceledCount: count,
        skippedCount: count.optional().openapi({ description: 'Missing if there is none' }),
      })
      .optional(),
  })
  .openapi('Job')

export const createdJobSchema = jobSchema
  .partial()
  .required({ jobId: true, type: true, status: true })
  .extend({
    warnings: z.string().array().optional().openapi({ description: 'What was asked for that never does anything' }),
  })
  .openapi('CreatedJob', {
    description: 'For an api-version of 2016 the whole job, for later ones jobId, type and status',
  })

export const stopSchema = z
  .object({
    stopId: z.string(),
    time,
    actor: z.string().optional(),
    reason: z.string().optional(),
    type: jobType.optional(),
    jobIdPrefix: z.string().optional(),
    pausedCount: count,
    handedOverCount: count.optional().openapi({
      description:
        'Calls that were handed over to devices after the stop; missing if they could not be counted in time',
    }),
    undecidedCount: count.optional().openapi({
      description: 'Devices of which that is not known yet; at 0 handedOverCount does not change any more',
    }),
    resumedTime: time.optional(),
    resumedCount: count.optional(),
  })
  .openapi('Stop')

export const jobEventSchema = z
  .object({
    eventId: z.string(),
    jobId: z.string(),
    kind: z.enum(jobEventKinds),
    time,
    actor: z.string().nullable().openapi({ description: 'The account that asked for it; null: the hub itself' }),
    clientAddress: z.string().nullable(),
    type: jobType,
    status: z.string().optional().openapi({ description: 'Of cancelled and ended' }),
    reason: z.string().optional(),
    stageNo: count.optional(),
    changes: properties.optional(),
    deviceCount: count.optional(),
    deviceJobStatistics: jobSchema.shape.deviceJobStatistics,
  })
  .openapi('JobEvent')

export const sessionSchema = z
  .object({ account: z.string(), permissions: z.string().array(), expiryTime: time })
  .openapi('Session')

export const deviceJobSchema = z
  .object({
    deviceId: z.string(),
    jobId: z.string(),
    jobType,
    status: z.enum(deviceJobStatuses),
    startTimeUtc: time,
    endTimeUtc: time.openapi({ description: 'The end of the window' }),
    createdDateTimeUtc: time,
    lastUpdatedDateTimeUtc: time,
    deliveries: count
      .optional()
      .openapi({ description: 'How often the call was written to a connection of the device' }),
    lastDeliveryTimeUtc: time.optional(),
    attempts: z
      .object({ time, status: z.int().optional(), code: z.string().optional(), text: z.string() })
      .array()
      .optional()
      .openapi({
        description: 'Of a job with retry: the last ten calls that may have reached the device, oldest first',
      }),
    outcome: z.object({ deviceMethodResponse: z.object({ status: z.int(), payload: json }).optional() }),
    cloudToDeviceMethod: properties.optional(),
    error: z.object({ code: z.string(), description: z.string() }).optional(),
  })
  .openapi('DeviceJob')

export const devicePageSchema = z
  .object({
    items: deviceJobSchema.array(),
    counts: z
      .object({
        byStatus: z.object({
          pending: count,
          running: count,
          completed: count,
          failed: count,
          canceled: count,
          skipped: count.optional(),
        }),
        byErrorCode: z.record(z.string(), count),
      })
      .optional()
      .openapi({
        description: 'On the first page, but for a single deviceId: all devices of the job, whatever the filter',
      }),
    continuationToken: z.string().optional().openapi({ description: 'Missing on the last page' }),
  })
  .openapi('DevicePage')

const share = z.number().min(0).max(1)

export const failuresSchema = z
  .object({
    jobId: z.string(),
    deviceCount: count,
    failedCount: count,
    sampledCount: count.openapi({
      description:
        'How many devices of the job targetShare is taken from: with deviceCount it is exact, else an estimate',
    }),
    comparedTags: z.string().array(),
    groups: z
      .object({
        code: z.string(),
        text: z.string(),
        count: count.openapi({ description: 'Exact' }),
        sampledCount: count.openapi({ description: 'How many devices of the group its shares are taken from' }),
        sampleDeviceIds: z.string().array(),
        overRepresented: z
          .object({
            path: z.string(),
            value: z.union([z.string(), z.number(), z.boolean()]),
            count: count.openapi({ description: 'Of sampledCount' }),
            share,
            targetShare: share,
            lift: z.number().openapi({ description: 'share / targetShare' }),
          })
          .array(),
      })
      .array()
      .openapi({ description: 'At most 100, the largest first' }),
    otherGroups: z
      .object({ groupCount: count, deviceCount: count })
      .optional()
      .openapi({ description: 'The groups beside those, summed' }),
  })
  .openapi('Failures')

export const twinSchema = z
  .object({
    deviceId: z.string(),
    moduleId: z.string().optional(),
    etag: z.string(),
    version: z.int(),
    tags: properties.optional(),
    properties: z.object({ desired: properties, reported: properties }),
  })
  .loose()
  .openapi('Twin')

export const rawSchema = properties.openapi('Raw', { description: 'The members that the select list of a query names' })

export const previewSchema = z
  .object({
    deviceCount: count.openapi({ description: 'With those that do not exist, as in the statistics of a job' }),
    disabledCount: count,
    disconnectedCount: count,
    unknownCount: count.openapi({ description: 'Listed in deviceIds, but not existing; not counted as disconnected' }),
    sample: z
      .object({
        deviceId: z.string(),
        status: z.enum(['enabled', 'disabled', 'unknown']),
        connectionState: z.enum(['Connected', 'Disconnected']).optional(),
      })
      .array()
      .openapi({ description: 'The first devices in the order of their ids, at most 100' }),
  })
  .openapi('JobPreview')

export const twinPatchSchema = z
  .object({
    tags: properties.nullish(),
    properties: z.object({ desired: properties.nullish() }).optional(),
  })
  .openapi('TwinPatch')

const keys = z.object({ primaryKey: z.string().nullable(), secondaryKey: z.string().nullable() })
const thumbprints = z.object({ primaryThumbprint: z.string().nullable(), secondaryThumbprint: z.string().nullable() })

const authentication = z.object({
  symmetricKey: keys,
  x509Thumbprint: thumbprints,
  type: z.enum(['sas', 'selfSigned', 'certificateAuthority', 'none']),
})

export const deviceSchema = z
  .object({
    deviceId: z.string(),
    generationId: z.string(),
    etag: z.string(),
    connectionState: z.enum(['Connected', 'Disconnected']),
    connectionStateUpdatedTime: time,
    status: z.enum(['enabled', 'disabled']),
    statusReason: z.string().nullable(),
    statusUpdatedTime: time,
    lastActivityTime: time,
    cloudToDeviceMessageCount: z.int(),
    authentication,
    capabilities: z.object({ iotEdge: z.boolean() }),
    deviceScope: z.string().optional(),
    parentScopes: z.string().array().optional(),
  })
  .openapi('Device')

export const moduleSchema = deviceSchema
  .omit({
    status: true,
    statusReason: true,
    statusUpdatedTime: true,
    capabilities: true,
    deviceScope: true,
    parentScopes: true,
  })
  .extend({ moduleId: z.string(), managedBy: z.string().nullable() })
  .openapi('Module')

export const bulkResultSchema = z
  .object({
    isSuccessful: z.boolean(),
    errors: z.array(
      z.object({
        deviceId: z.string(),
        moduleId: z.string().optional(),
        errorCode: z.string(),
        errorStatus: z.string(),
      }),
    ),
    warnings: z.array(z.unknown()),
  })
  .openapi('BulkResult')

export const deviceStatisticsSchema = z
  .object({ totalDeviceCount: count, enabledDeviceCount: count, disabledDeviceCount: count })
  .openapi('DeviceStatistics')

export const serviceStatisticsSchema = z.object({ connectedDeviceCount: count }).openapi('ServiceStatistics')

export const methodCallSchema = z
  .object({
    methodName: z.string(),
    payload: json,
    responseTimeoutInSeconds: z.int().min(5).max(300).optional(),
    connectTimeoutInSeconds: z.int().min(0).max(300).optional(),
  })
  .openapi('MethodCall')

export const methodResponseSchema = z.object({ status: z.int(), payload: json }).openapi('MethodResponse')
